"""From the name of a node, as ONNX Runtime reports it, back to the name that it was given."""

from __future__ import annotations

import re

_ADDED_SUFFIX = re.compile(r"(/\w*Fusion/?|_nchwc)$")


def emitted_name(name: str) -> str:
    """Take off what ONNX Runtime's optimizations add to a node's name.

    Example:
        >>> emitted_name("fused dense/MatMul/MatMulAddFusion")
        'dense/MatMul'
    """
    return _ADDED_SUFFIX.sub("", name.removeprefix("fused "))
