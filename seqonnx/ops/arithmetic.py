"""Arithmetic by element; sizes of 1 and missing axes are broadcast."""

from __future__ import annotations

from typing import Any, Final

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.promotion import arithmetic, floats, number, promoted, tensor, without_bool
from seqonnx.tensor_function import tensor_function

_CLIPPED: Final = frozenset({"float16", "float32", "float64", "int32", "int64"})
_RAISED: Final = frozenset({"float16", "float32", "float64", "int32", "int64"})
"""Dtypes that ONNX Runtime computes powers of."""


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
    return op.Sub(*arithmetic(op, x1, x2))


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
    x1, x2 = arithmetic(op, x1, x2)
    dtype = dtype_name(x1)
    if dtypes.is_float(dtype):
        return op.Floor(op.Div(x1, x2))
    # ONNX cuts fractions off: towards 0, not down.
    rest = op.Mod(x1, x2)
    return op.Div(op.Sub(x1, rest), x2)


@tensor_function()
def mod(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the rest of the division x1 / x2; it has the sign of x2."""
    x1, x2 = arithmetic(op, x1, x2)
    if not dtypes.is_float(dtype_name(x1)):
        return op.Mod(x1, x2)
    return op.Sub(x1, op.Mul(op.Floor(op.Div(x1, x2)), x2))


@tensor_function()
def fmod(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the rest of the division x1 / x2, cut towards 0; it has the sign of x1."""
    x1, x2 = arithmetic(op, x1, x2)
    return op.Mod(x1, x2, fmod=1)


@tensor_function()
def divide_no_nan(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return x1 / x2, and 0 where x2 is 0."""
    x1, x2 = floats(op, x1, x2)
    none = op.Equal(x2, 0.0)
    return op.Where(none, 0.0, op.Div(x1, op.Where(none, 1.0, x2)))


@tensor_function()
def maximum(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the larger of two numbers; NaN if one is NaN."""
    x1, x2 = promoted(op, x1, x2)
    return op.Or(x1, x2) if dtype_name(x1) == "bool" else op.Max(x1, x2)


@tensor_function()
def minimum(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the smaller of two numbers; NaN if one is NaN."""
    x1, x2 = promoted(op, x1, x2)
    return op.And(x1, x2) if dtype_name(x1) == "bool" else op.Min(x1, x2)


@tensor_function()
def fmax(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the larger of two numbers; the other one if one is NaN."""
    return _without_nan(op, maximum, x1, x2)


@tensor_function()
def fmin(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the smaller of two numbers; the other one if one is NaN."""
    return _without_nan(op, minimum, x1, x2)


def _without_nan(op: Emitter, function: Any, x1: Any, x2: Any) -> ir.Value:
    """A function of two numbers; one of them where the other is NaN."""
    x1, x2 = promoted(op, x1, x2)
    both: ir.Value = function(op, x1, x2)
    if not dtypes.is_float(dtype_name(x1)):
        return both
    return op.Where(op.IsNaN(x1), x2, op.Where(op.IsNaN(x2), x1, both))


@tensor_function()
def clip(op: Emitter, x: Any, x_min: Any, x_max: Any) -> ir.Value:
    """Return x, no smaller than `x_min` and no larger than `x_max`.

    Args:
        x: tensor.
        x_min: number or tensor, or None.
        x_max: number or tensor, or None.
    """
    bounds = [bound for bound in (x_min, x_max) if bound is not None]
    x, *found = promoted(op, without_bool(op, x), *bounds)
    if all(isinstance(bound, float | int) for bound in bounds) and dtype_name(x) in _CLIPPED:
        low = None if x_min is None else found[0]
        return op.Clip(x, low, None if x_max is None else found[-1])
    x = x if x_min is None else op.Max(x, found[0])
    return x if x_max is None else op.Min(x, found[-1])


@tensor_function()
def power(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return x1 to the power of x2."""
    x1, x2 = arithmetic(op, x1, x2)
    given = dtype_name(x1)
    if given in _RAISED:
        return op.Pow(x1, x2)
    return op.cast(op.Pow(op.cast(x1, "int64"), op.cast(x2, "int64")), given)


@tensor_function()
def negative(op: Emitter, x: Any) -> ir.Value:
    """Return -x."""
    x = tensor(op, x)
    given = dtype_name(x)
    if given.startswith("uint"):  # -x of these is 2^n - x
        return op.Sub(number(op, 0, x), x)
    return op.Neg(without_bool(op, x))


@tensor_function()
def fabs(op: Emitter, x: Any) -> ir.Value:
    """Return x without its sign, a floating-point number also of integers."""
    return op.Abs(*floats(op, x))


@tensor_function("abs")
def absolute(op: Emitter, x: Any) -> ir.Value:
    """Return x without its sign."""
    x = tensor(op, x)
    return x if dtype_name(x) == "bool" else op.Abs(x)
