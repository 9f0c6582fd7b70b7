"""Transforms of signals."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.export.adapters.registry import NotInOperatorSetError, adapter
from seqonnx.graph import Emitter
from seqonnx.graph.reading import constant_ints, input_at


@adapter("DFT", 20)
def _axis_as_attribute(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    axis = input_at(node, 2)
    known = [-2] if axis is None else constant_ints(axis)
    if known is None:
        raise NotInOperatorSetError("its axis is computed, and lower sets have a constant one only")
    if node.attributes.get_int("inverse", 0) == node.attributes.get_int("onesided", 0) == 1:
        raise NotInOperatorSetError("it is one-sided and inverse, which lower sets do not have")
    node.resize_inputs(min(len(node.inputs), 2))
    node.attributes.add(ir.AttrInt64("axis", known[0]))
    return None
