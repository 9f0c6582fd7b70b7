"""Comparison and logic by element; sizes of 1 and missing axes are broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.promotion import arithmetic, floats, promoted, result_type, tensor
from seqonnx.ops.sizes import expanded, sizes_of
from seqonnx.tensor_function import tensor_function


@tensor_function()
def equal(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 = x2.

    Args:
        x1: tensor or number.
        x2: tensor or number.

    Example:
        >>> equal([1, 2], 2).tolist()
        [False, True]
    """
    return op.Equal(*promoted(op, x1, x2))


@tensor_function()
def not_equal(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 differs from x2."""
    return op.Not(op.Equal(*promoted(op, x1, x2)))


@tensor_function()
def less(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 < x2."""
    return op.Less(*arithmetic(op, x1, x2))


@tensor_function()
def less_equal(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 <= x2."""
    return op.LessOrEqual(*arithmetic(op, x1, x2))


@tensor_function()
def greater(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 > x2."""
    return op.Greater(*arithmetic(op, x1, x2))


@tensor_function()
def greater_equal(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 >= x2."""
    return op.GreaterOrEqual(*arithmetic(op, x1, x2))


@tensor_function()
def logical_and(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether both are True; a number is True if it is not 0."""
    return op.And(*(op.cast(tensor(op, x), "bool") for x in (x1, x2)))


@tensor_function()
def logical_or(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether one is True; a number is True if it is not 0."""
    return op.Or(*(op.cast(tensor(op, x), "bool") for x in (x1, x2)))


@tensor_function()
def logical_xor(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether just one is True; a number is True if it is not 0."""
    return op.Xor(*(op.cast(tensor(op, x), "bool") for x in (x1, x2)))


@tensor_function()
def logical_not(op: Emitter, x: Any) -> ir.Value:
    """Return whether x is False; a number is False if it is 0."""
    return op.Not(op.cast(tensor(op, x), "bool"))


@tensor_function()
def isnan(op: Emitter, x: Any) -> ir.Value:
    """Return whether x is not a number."""
    x = tensor(op, x)
    return op.IsNaN(x) if dtypes.is_float(dtype_name(x)) else _all(op, x, False)


@tensor_function()
def isinf(op: Emitter, x: Any) -> ir.Value:
    """Return whether x is infinite."""
    return _infinite(op, x)


@tensor_function()
def isposinf(op: Emitter, x: Any) -> ir.Value:
    """Return whether x is infinity."""
    return _infinite(op, x, detect_negative=0)


@tensor_function()
def isneginf(op: Emitter, x: Any) -> ir.Value:
    """Return whether x is minus infinity."""
    return _infinite(op, x, detect_positive=0)


@tensor_function()
def isfinite(op: Emitter, x: Any) -> ir.Value:
    """Return whether x is a number, and not infinite."""
    x = tensor(op, x)
    return op.Not(op.Or(isnan(op, x), isinf(op, x)))


@tensor_function()
def isreal(op: Emitter, x: Any) -> ir.Value:
    """Return whether x is a real number: all are, ONNX has no others."""
    return _all(op, tensor(op, x), True)


@tensor_function()
def isclose(
    op: Emitter,
    x1: Any,
    x2: Any,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    equal_nan: bool = False,
) -> ir.Value:
    """Return whether |x1 - x2| is at most `atol` + `rtol` |x2|.

    Args:
        x1: tensor or number.
        x2: tensor or number.
        rtol: share of x2.
        atol: smallest difference that counts.
        equal_nan: whether NaN is close to NaN.
    """
    if not dtypes.is_float(result_type(x1, x2)):
        return equal(op, x1, x2)
    x1, x2 = floats(op, x1, x2)
    allowed = op.Add(op.Mul(op.Abs(x2), rtol), atol)
    # Infinities are close to themselves alone; their difference is no number.
    near = op.And(op.LessOrEqual(op.Abs(op.Sub(x1, x2)), allowed), isfinite(op, x2))
    close = op.Or(near, op.Equal(x1, x2))
    return op.Or(close, op.And(op.IsNaN(x1), op.IsNaN(x2))) if equal_nan else close


@tensor_function()
def allclose(
    op: Emitter,
    x1: Any,
    x2: Any,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    equal_nan: bool = False,
) -> ir.Value:
    """Return whether all are close; arguments as those of `isclose`."""
    close = isclose(op, x1, x2, rtol, atol, equal_nan)
    return op.cast(op.ReduceMin(op.cast(close, "int32"), keepdims=0), "bool")


def _infinite(op: Emitter, x: Any, **which: int) -> ir.Value:
    x = tensor(op, x)
    return op.IsInf(x, **which) if dtypes.is_float(dtype_name(x)) else _all(op, x, False)


def _all(op: Emitter, x: ir.Value, answer: bool) -> ir.Value:
    """One answer for each number."""
    return expanded(op, op.constant(np.array(answer)), sizes_of(x))
