"""Elementary functions of one number: powers, logarithms, rounding."""

from __future__ import annotations

import math
from typing import Any

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.promotion import floating, floats, largest, number, result_type, tensor
from seqonnx.tensor_function import tensor_function


@tensor_function()
def exp(op: Emitter, x: Any) -> ir.Value:
    """Return e to the power of x.

    Args:
        x: tensor or number; integers give floating-point numbers.

    Example:
        >>> exp([0.0]).tolist()
        [1.0]
    """
    return op.Exp(floating(op, x))


@tensor_function()
def exp2(op: Emitter, x: Any) -> ir.Value:
    """Return 2 to the power of x."""
    return op.Exp(op.Mul(floating(op, x), math.log(2.0)))


@tensor_function()
def expm1(op: Emitter, x: Any) -> ir.Value:
    """Return exp(x) - 1, with all digits near 0: tanh(x / 2) (exp(x) + 1) is the same number."""
    x = floating(op, x)
    # From about 80 on the sum is infinite in float32 only where exp(x) is.
    return op.Mul(op.Tanh(op.Mul(x, 0.5)), op.Add(op.Exp(x), 1.0))


@tensor_function()
def log(op: Emitter, x: Any) -> ir.Value:
    """Return the natural logarithm."""
    return op.Log(floating(op, x))


@tensor_function()
def log1p(op: Emitter, x: Any) -> ir.Value:
    """Return log(1 + x), with all digits near 0: there it is 2 artanh(x / (2 + x))."""
    x = floating(op, x)
    small = op.Clip(x, -0.5, 0.5)
    near = op.Mul(op.Atanh(op.Div(small, op.Add(small, 2.0))), 2.0)
    return op.Where(op.Less(op.Abs(x), 0.5), near, op.Log(op.Add(x, 1.0)))


@tensor_function()
def log2(op: Emitter, x: Any) -> ir.Value:
    """Return the logarithm to the base 2."""
    return op.Mul(op.Log(floating(op, x)), 1.0 / math.log(2.0))


@tensor_function()
def log10(op: Emitter, x: Any) -> ir.Value:
    """Return the logarithm to the base 10."""
    return op.Mul(op.Log(floating(op, x)), 1.0 / math.log(10.0))


@tensor_function()
def sqrt(op: Emitter, x: Any) -> ir.Value:
    """Return the square root."""
    return op.Sqrt(floating(op, x))


@tensor_function()
def rsqrt(op: Emitter, x: Any) -> ir.Value:
    """Return 1 / sqrt(x)."""
    return op.Reciprocal(op.Sqrt(floating(op, x)))


@tensor_function()
def cbrt(op: Emitter, x: Any) -> ir.Value:
    """Return the cube root, of negative numbers too."""
    x = floating(op, x)
    return op.Mul(op.Sign(x), op.Pow(op.Abs(x), 1.0 / 3.0))


@tensor_function()
def square(op: Emitter, x: Any) -> ir.Value:
    """Return x x."""
    x = tensor(op, x)
    x = op.cast(x, "int32") if dtype_name(x) == "bool" else x
    return op.Mul(x, x)


@tensor_function()
def reciprocal(op: Emitter, x: Any) -> ir.Value:
    """Return 1 / x."""
    return op.Reciprocal(floating(op, x))


@tensor_function()
def sign(op: Emitter, x: Any) -> ir.Value:
    """Return -1, 0 or 1 by the sign of x."""
    x = tensor(op, x)
    return x if dtype_name(x) == "bool" else op.Sign(x)


@tensor_function()
def signbit(op: Emitter, x: Any) -> ir.Value:
    """Return whether x has a minus sign; -0.0 has one."""
    x = tensor(op, x)
    if dtype_name(x) == "bool":
        return op.And(x, op.Not(x))
    if not dtypes.is_float(dtype_name(x)):
        return op.Less(x, 0)
    # 1 / -0 is minus infinity.
    zero = op.And(op.Equal(x, 0.0), op.Less(op.Reciprocal(x), 0.0))
    return op.Or(op.Less(x, 0.0), zero)


@tensor_function()
def floor(op: Emitter, x: Any) -> ir.Value:
    """Return the largest integer that is not above x, as a floating-point number."""
    return op.Floor(floating(op, x))


@tensor_function()
def ceil(op: Emitter, x: Any) -> ir.Value:
    """Return the smallest integer that is not below x, as a floating-point number."""
    return op.Ceil(floating(op, x))


@tensor_function()
def trunc(op: Emitter, x: Any) -> ir.Value:
    """Return x without its fraction: rounded towards 0."""
    x = tensor(op, x)
    if not dtypes.is_float(dtype_name(x)):
        return tensor(op, x)
    return op.Mul(op.Floor(op.Abs(x)), op.Sign(x))


@tensor_function()
def round(op: Emitter, x: Any, decimals: int = 0) -> ir.Value:
    """Return x rounded to a number of decimals; halves go to the even neighbour.

    Args:
        x: tensor or number.
        decimals: digits behind the point; negative: before it.

    Example:
        >>> round([0.5, 1.5, 2.5]).tolist()
        [0.0, 2.0, 2.0]
    """
    x = tensor(op, x)
    given = dtype_name(x)
    if given == "bool" or (decimals >= 0 and not dtypes.is_float(given)):
        return tensor(op, x)
    x = floating(op, x)
    if decimals == 0:
        return op.Round(x)
    # 10 ** decimals is a whole number where decimals is positive: its inverse would be inexact.
    scale = 10.0 ** abs(decimals)
    if decimals > 0:
        return op.Div(op.Round(op.Mul(x, scale)), scale)
    return op.cast(op.Mul(op.Round(op.Div(x, scale)), scale), given)


@tensor_function()
def deg2rad(op: Emitter, x: Any) -> ir.Value:
    """Return an angle in degrees as one in radians."""
    return op.Mul(floating(op, x), math.pi / 180.0)


@tensor_function()
def rad2deg(op: Emitter, x: Any) -> ir.Value:
    """Return an angle in radians as one in degrees."""
    return op.Mul(floating(op, x), 180.0 / math.pi)


@tensor_function()
def nan_to_num(
    op: Emitter,
    x: Any,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> ir.Value:
    """Return x with numbers in the place of NaN and infinities.

    Args:
        x: tensor.
        nan: what NaN becomes.
        posinf: what infinity becomes; default: the largest number of the dtype.
        neginf: what minus infinity becomes; default: the smallest number.
    """
    x = tensor(op, x)
    dtype = dtype_name(x)
    if not dtypes.is_float(dtype):
        return tensor(op, x)
    limit = largest(dtype)
    x = op.Where(op.IsNaN(x), nan, x)
    x = op.Where(op.IsInf(x, detect_negative=0), limit if posinf is None else posinf, x)
    return op.Where(op.IsInf(x, detect_positive=0), -limit if neginf is None else neginf, x)


@tensor_function()
def logaddexp(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return log(exp(x1) + exp(x2)), without overflow."""
    x1, x2 = floats(op, x1, x2)
    # Without a finite limit infinity minus infinity would be NaN.
    limit = largest(dtype_name(x1))
    top = op.Clip(op.Max(x1, x2), -limit, limit)
    return op.Add(top, op.Log(op.Add(op.Exp(op.Sub(x1, top)), op.Exp(op.Sub(x2, top)))))


@tensor_function()
def logaddexp2(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the logarithm to the base 2 of 2^x1 + 2^x2, without overflow."""
    x1, x2 = floats(op, x1, x2)
    ln2 = math.log(2.0)
    return op.Mul(logaddexp(op, op.Mul(x1, ln2), op.Mul(x2, ln2)), 1.0 / ln2)


@tensor_function()
def hypot(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return sqrt(x1^2 + x2^2), without overflow where the result is a number."""
    x1, x2 = floats(op, x1, x2)
    a, b = op.Abs(x1), op.Abs(x2)
    top, low = op.Max(a, b), op.Min(a, b)
    share = op.Div(low, op.Where(op.Equal(top, 0.0), 1.0, top))
    return op.Mul(top, op.Sqrt(op.Add(op.Mul(share, share), 1.0)))


@tensor_function()
def ldexp(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return x1 times 2 to the power of x2, integers.

    Raises:
        TypeError: if x2 does not hold integers.
    """
    if dtypes.is_float(result_type(x2)):
        raise TypeError(
            f"ldexp exponent must be an integer type. Received: x2 dtype={result_type(x2)}"
        )
    x = floating(op, x1)
    return op.Mul(x, op.Pow(number(op, 2.0, x), op.cast(tensor(op, x2), dtype_name(x))))


@tensor_function()
def heaviside(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return 0 where x1 < 0, 1 where x1 > 0, and x2 where x1 is 0."""
    x1, x2 = floats(op, x1, x2)
    step = op.cast(op.Greater(x1, 0.0), dtype_name(x1))
    return op.Where(op.Equal(x1, 0.0), x2, step)
