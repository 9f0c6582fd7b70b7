"""Reductions that leave out what is not a number (NaN)."""

from __future__ import annotations

import math
from typing import Any

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.cumulative import cumprod, cumsum
from seqonnx.ops.promotion import floating, tensor
from seqonnx.ops.reduction import Axes, all, amax, amin, argmax, argmin, prod, sum
from seqonnx.ops.statistics import quantile_of_numbers
from seqonnx.tensor_function import tensor_function


@tensor_function()
def nansum(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the sum of those that are numbers.

    Args:
        x: tensor.
        axis: axis or axes that vanish; None: all.
        keepdims: whether they stay, with size 1.

    Example:
        >>> nansum([1.0, float("nan")]).tolist()
        1.0
    """
    return sum(op, _filled(op, x, 0.0), axis, keepdims)


@tensor_function()
def nanprod(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the product of those that are numbers."""
    return prod(op, _filled(op, x, 1.0), axis, keepdims)


@tensor_function()
def nanmax(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the largest of those that are numbers; NaN if none is."""
    found = amax(op, _filled(op, x, -math.inf), axis, keepdims)
    return _or(op, found, x, axis, keepdims, math.nan)


@tensor_function()
def nanmin(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the smallest of those that are numbers; NaN if none is."""
    found = amin(op, _filled(op, x, math.inf), axis, keepdims)
    return _or(op, found, x, axis, keepdims, math.nan)


@tensor_function()
def nanargmax(op: Emitter, x: Any, axis: int | None = None, keepdims: bool = False) -> ir.Value:
    """Return the place of the largest of those that are numbers; -1 if none is."""
    found = argmax(op, _filled(op, x, -math.inf), axis, keepdims)
    return _or(op, found, x, axis, keepdims, -1)


@tensor_function()
def nanargmin(op: Emitter, x: Any, axis: int | None = None, keepdims: bool = False) -> ir.Value:
    """Return the place of the smallest of those that are numbers; -1 if none is."""
    found = argmin(op, _filled(op, x, math.inf), axis, keepdims)
    return _or(op, found, x, axis, keepdims, -1)


@tensor_function()
def nanmean(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the mean of those that are numbers."""
    x = floating(op, x)
    total = sum(op, _filled(op, x, 0.0), axis, keepdims)
    return op.Div(total, _numbers(op, x, axis, keepdims))


@tensor_function()
def nanvar(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the variance of those that are numbers."""
    x = floating(op, x)
    apart = _filled(op, op.Sub(x, nanmean(op, x, axis, True)), 0.0)
    total = sum(op, op.Mul(apart, apart), axis, keepdims)
    return op.Div(total, _numbers(op, x, axis, keepdims))


@tensor_function()
def nanstd(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the standard deviation of those that are numbers."""
    return op.Sqrt(nanvar(op, x, axis, keepdims))


@tensor_function()
def nancumsum(op: Emitter, x: Any, axis: int | None = None, dtype: str | None = None) -> ir.Value:
    """Return the sums so far, NaN as 0."""
    return cumsum(op, _filled(op, x, 0.0), axis, dtype)


@tensor_function()
def nancumprod(op: Emitter, x: Any, axis: int | None = None, dtype: str | None = None) -> ir.Value:
    """Return the products so far, NaN as 1."""
    return cumprod(op, _filled(op, x, 1.0), axis, dtype)


@tensor_function()
def nanquantile(
    op: Emitter,
    x: Any,
    q: Any,
    axis: Axes = None,
    method: str = "linear",
    keepdims: bool = False,
) -> ir.Value:
    """Return the quantile of those that are numbers; arguments as those of `quantile`."""
    return quantile_of_numbers(op, floating(op, x), q, axis, method, keepdims)


@tensor_function()
def nanpercentile(
    op: Emitter,
    x: Any,
    q: Any,
    axis: Axes = None,
    method: str = "linear",
    keepdims: bool = False,
) -> ir.Value:
    """Return the percentile of those that are numbers; arguments as those of `quantile`."""
    share = op.Div(floating(op, q), 100.0)
    return quantile_of_numbers(op, floating(op, x), share, axis, method, keepdims)


@tensor_function()
def nanmedian(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the median of those that are numbers."""
    return quantile_of_numbers(op, floating(op, x), 0.5, axis, "linear", keepdims)


def _filled(op: Emitter, x: Any, number: float) -> ir.Value:
    """x with a number in the place of NaN."""
    x = tensor(op, x)
    return op.Where(op.IsNaN(x), number, x) if dtypes.is_float(dtype_name(x)) else x


def _or(
    op: Emitter, found: ir.Value, x: Any, axis: Axes, keepdims: bool, number: float
) -> ir.Value:
    """Return what was found, or a number where there is nothing but NaN."""
    x = tensor(op, x)
    if not dtypes.is_float(dtype_name(x)):
        return found
    return op.Where(all(op, op.IsNaN(x), axis, keepdims), number, found)


def _numbers(op: Emitter, x: ir.Value, axis: Axes, keepdims: bool) -> ir.Value:
    """How many are numbers, in the dtype of x."""
    return sum(op, op.cast(op.Not(op.IsNaN(x)), dtype_name(x)), axis, keepdims)
