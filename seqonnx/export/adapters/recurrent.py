"""Recurrent operators: below operator set 14, the sequence comes first."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.export.adapters.registry import adapter, drop, emit_again
from seqonnx.graph import Emitter


def _sequence_first(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    """Write transpositions for `layout=1`: X, initial states and results have the batch first."""
    if node.attributes.get_int("layout", 0) == 0:
        drop(node, "layout")
        return None
    states = (5, 6) if node.op_type == "LSTM" else (5,)
    inputs = [
        value if value is None or i not in (0, *states) else op.Transpose(value, perm=[1, 0, 2])
        for i, value in enumerate(node.inputs)
    ]
    made = emit_again(op, node, inputs, layout=None)
    y, *finals = made if isinstance(made, tuple) else (made,)
    return [
        op.Transpose(y, perm=[2, 0, 1, 3]),
        *(op.Transpose(state, perm=[1, 0, 2]) for state in finals),
    ]


for _name in ("LSTM", "GRU", "RNN"):
    adapter(_name, 14)(_sequence_first)
