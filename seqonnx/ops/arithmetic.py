"""Arithmetic by element; sizes of 1 and missing axes are broadcast."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.promotion import floats, promoted, tensor
from seqonnx.tensor_function import tensor_function


@tensor_function()
def add(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return x1 + x2; of bools, whether one is True.

    Args:
        x1: tensor or number.
        x2: tensor or number.

    Example:
        >>> add([1.0, 2.0], 1.0).tolist()
        [2.0, 3.0]
    """
    x1, x2 = promoted(op, x1, x2)
    return op.Or(x1, x2) if dtype_name(x1) == "bool" else op.Add(x1, x2)


@tensor_function()
def subtract(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return x1 - x2."""
    return op.Sub(*promoted(op, x1, x2))


@tensor_function()
def multiply(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return x1 x2; of bools, whether both are True."""
    x1, x2 = promoted(op, x1, x2)
    return op.And(x1, x2) if dtype_name(x1) == "bool" else op.Mul(x1, x2)


@tensor_function("true_divide")
def divide(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return x1 / x2, a floating-point number also of integers."""
    return op.Div(*floats(op, x1, x2))


@tensor_function()
def floor_divide(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the largest integer that is not above x1 / x2, in the dtype of the operands."""
    x1, x2 = promoted(op, x1, x2)
    dtype = dtype_name(x1)
    if dtypes.is_float(dtype):
        return op.Floor(op.Div(x1, x2))
    # ONNX cuts fractions off: towards 0, not down.
    rest = op.Mod(x1, x2)
    return op.Div(op.Sub(x1, rest), x2)


@tensor_function("remainder")
def mod(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the rest of the division x1 / x2; it has the sign of x2."""
    x1, x2 = promoted(op, x1, x2)
    if not dtypes.is_float(dtype_name(x1)):
        return op.Mod(x1, x2)
    return op.Sub(x1, op.Mul(op.Floor(op.Div(x1, x2)), x2))


@tensor_function()
def power(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return x1 to the power of x2."""
    return op.Pow(*promoted(op, x1, x2))


@tensor_function()
def negative(op: Emitter, x: Any) -> ir.Value:
    """Return -x."""
    return op.Neg(tensor(op, x))


@tensor_function("abs")
def absolute(op: Emitter, x: Any) -> ir.Value:
    """Return x without its sign."""
    x = tensor(op, x)
    return x if dtype_name(x) == "bool" else op.Abs(x)


@tensor_function()
def matmul(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the matrix product of the last two axes; of a vector, with it."""
    return op.MatMul(*promoted(op, x1, x2))
