"""Reductions: their axes are an attribute below operator set 18."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.export.adapters.registry import NotInOperatorSetError, adapter, drop
from seqonnx.graph import Emitter
from seqonnx.graph.reading import constant_ints, input_at

_NOTHING = {
    "ReduceL1": "Abs",
    "ReduceL2": "Abs",
    "ReduceLogSum": "Log",
    "ReduceLogSumExp": "Identity",
    "ReduceMax": "Identity",
    "ReduceMean": "Identity",
    "ReduceMin": "Identity",
    "ReduceProd": "Identity",
}
"""The operator that a reduction over no axis is."""


def _axes_as_attribute(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    axes = input_at(node, 1)
    known = [] if axes is None else constant_ints(axes)
    if known is None:
        raise NotInOperatorSetError("its axes are computed, and lower sets have constant ones only")
    keeps = node.attributes.get_int("noop_with_empty_axes", 0) == 1
    if len(known) == 0 and keeps:
        if node.op_type == "ReduceSumSquare":
            return [op.Mul(node.inputs[0], node.inputs[0])]
        return [op.emit(_NOTHING[node.op_type], [node.inputs[0]], {})]
    drop(node, "noop_with_empty_axes")
    node.resize_inputs(1)
    if len(known) > 0:
        node.attributes.add(ir.AttrInt64s("axes", known))
    return None


for _name in (*_NOTHING, "ReduceSumSquare"):
    adapter(_name, 18)(_axes_as_attribute)
