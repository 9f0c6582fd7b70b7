"""The values that a node reads, and which of them a gradient can pass."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.graph.floats import FLOATS
from seqonnx.graph.reading import is_op, subgraphs_of

HALF_TYPES = frozenset({ir.DataType.FLOAT16, ir.DataType.BFLOAT16})
"""Floats of 16 bits."""


def sources_of(node: ir.Node) -> Sequence[ir.Value | None]:
    """Return a node's inputs, then what its subgraphs take from outside, each value once."""
    bodies = subgraphs_of(node)
    return node.inputs if len(bodies) == 0 else [*node.inputs, *captures_of(bodies)]


def captures_of(bodies: Sequence[ir.Graph]) -> list[ir.Value]:
    """Return the values that graphs use and do not define, in order of use."""
    used: dict[ir.Value, None] = {}
    defined: set[ir.Value] = set()
    stack = list(bodies)
    while stack:
        body = stack.pop()
        defined.update(body.inputs)
        defined.update(body.initializers.values())
        used.update(dict.fromkeys(body.outputs))
        for node in body:
            used.update(dict.fromkeys(value for value in node.inputs if value is not None))
            defined.update(node.outputs)
            stack.extend(subgraphs_of(node))
    return [value for value in used if value not in defined]


def carries_gradient(value: ir.Value) -> bool:
    """Whether a gradient can pass a value: a float, or what QuantizeLinear made of one."""
    if value.dtype in FLOATS:
        return True
    return is_op(value.producer(), "QuantizeLinear")
