"""Dtypes that a lower operator set lacks for an operator: computed in a wider one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import onnx.defs
import onnx_ir as ir

from seqonnx.export.adapters.registry import NotInOperatorSetError, emit_again
from seqonnx.graph import Emitter
from seqonnx.graph.schemas import fits, has_dtype

_FEW_BITS: Final = (ir.DataType.INT32, ir.DataType.FLOAT)
_WIDER: Final = {
    ir.DataType.BFLOAT16: (ir.DataType.FLOAT,),
    ir.DataType.FLOAT16: (ir.DataType.FLOAT,),
    ir.DataType.BOOL: _FEW_BITS,
    ir.DataType.INT8: _FEW_BITS,
    ir.DataType.INT16: _FEW_BITS,
    ir.DataType.INT32: (ir.DataType.DOUBLE,),
    ir.DataType.UINT8: _FEW_BITS,
    ir.DataType.UINT16: _FEW_BITS,
    ir.DataType.UINT32: (ir.DataType.INT64, ir.DataType.DOUBLE),
}
"""Dtypes that hold every number of another."""
_EXACT: Final = frozenset(
    {
        *("Acos", "Acosh", "Add", "Asin", "Asinh", "Atan", "Atanh", "AveragePool"),
        *("BatchNormalization", "Conv", "ConvTranspose", "Cos", "Cosh", "CumSum"),
        *("DeformConv", "Det", "Div", "Elu", "Equal", "GlobalAveragePool", "GlobalLpPool"),
        *("GlobalMaxPool", "GreaterOrEqual", "GRU", "HardSigmoid", "HardSwish"),
        *("InstanceNormalization", "IsInf", "IsNaN", "LeakyRelu", "LessOrEqual"),
        *("LpNormalization", "LpPool", "LSTM", "MaxPool", "Mish", "Mul", "Pow", "PRelu"),
        *("ReduceMax", "ReduceMin", "Relu", "RNN", "Round", "Selu", "Sin", "Sinh"),
        *("Softplus", "Softsign", "Sub", "Tan", "ThresholdedRelu", "Where"),
    }
)
"""Operators whose result in a wider dtype, rounded or cut, is that in the dtype itself."""


def widened(op: Emitter, node: ir.Node, older: onnx.defs.OpSchema) -> Sequence[ir.Value]:
    """Emit a node in dtypes that an older schema takes, with casts around it.

    Args:
        op: emitter of the graph.
        node: a node whose dtypes the schema does not take.
        older: the schema.

    Raises:
        NotInOperatorSetError: if that would not compute the same, or there is no wider dtype.
    """
    replaced = _replaced(node, older) if node.op_type in _EXACT else {}
    if len(replaced) == 0:
        raise _not_there(node)
    inputs = [
        value
        if value is None or (place := _kind(older.inputs, i)) not in replaced
        else op.Cast(value, to=replaced[place])
        for i, value in enumerate(node.inputs)
    ]
    made = emit_again(op, node, inputs)
    results = made if isinstance(made, tuple) else (made,)
    return [
        result if result.dtype == old.dtype or old.dtype is None else op.Cast(result, to=old.dtype)
        for result, old in zip(results, node.outputs, strict=True)
    ]


def _replaced(node: ir.Node, older: onnx.defs.OpSchema) -> dict[str, ir.DataType]:
    """The wider dtype of each type parameter that the schema does not take as it is."""
    found: dict[str, ir.DataType] = {}
    for i, value in enumerate(node.inputs):
        if value is None or value.dtype is None or fits([value], [_place(older.inputs, i)], older):
            continue
        kind = _kind(older.inputs, i)
        taken = [wider for wider in _WIDER.get(value.dtype, ()) if has_dtype(older, kind, wider)]
        if len(taken) == 0:
            raise _not_there(node)
        found[kind] = taken[0]
    return found


def _not_there(node: ir.Node) -> NotInOperatorSetError:
    values = [value for value in (*node.inputs, *node.outputs) if value is not None]
    listed = ", ".join(sorted({str(value.dtype).lower() for value in values}))
    return NotInOperatorSetError(f"lower sets do not have it for {listed}")


def _place(
    places: Sequence[onnx.defs.OpSchema.FormalParameter], i: int
) -> onnx.defs.OpSchema.FormalParameter:
    return places[min(i, len(places) - 1)]


def _kind(places: Sequence[onnx.defs.OpSchema.FormalParameter], i: int) -> str:
    return str(_place(places, i).type_str)
