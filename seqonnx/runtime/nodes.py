"""From the name of a node, as ONNX Runtime reports it, back to the layer that emitted it.

Nodes are named `<layer>/<operator>`, gradient nodes `grad/<layer>/<operator>`; what differentiates
those has the scope `grad2`, and so on.
"""

from __future__ import annotations

import re

_GRADIENT_SCOPE = re.compile(r"^grad\d*/")
_ADDED_SUFFIX = re.compile(r"(/\w*Fusion/?|_nchwc)$")


def emitted_name(name: str) -> str:
    """Take off what ONNX Runtime's optimizations add to a node's name.

    Example:
        >>> emitted_name("fused dense/MatMul/MatMulAddFusion")
        'dense/MatMul'
    """
    return _ADDED_SUFFIX.sub("", name.removeprefix("fused "))


def layer_of(node: str) -> str:
    """Name the layer that emitted a node: empty for a node that stands in no layer's scope.

    Example:
        >>> layer_of("grad/dense/MatMul")
        'dense'
    """
    return _GRADIENT_SCOPE.sub("", node).rpartition("/")[0]


def is_gradient(node: str) -> bool:
    """Whether a node computes a gradient."""
    return _GRADIENT_SCOPE.match(node) is not None
