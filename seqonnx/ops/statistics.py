"""Statistics: spread, quantiles, weighted means, correlation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.promotion import floating, floats, number, tensor
from seqonnx.ops.reduction import Axes, mean, sum
from seqonnx.ops.sizes import (
    Size,
    axes_of,
    axis_of,
    noted,
    product,
    rank_of,
    reshaped,
    sizes_of,
    vector,
)
from seqonnx.tensor_function import tensor_function


@tensor_function()
def var(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the mean square distance from the mean.

    Args:
        x: tensor.
        axis: axis or axes that vanish; None: all.
        keepdims: whether they stay, with size 1.

    Example:
        >>> var([1.0, 3.0]).tolist()
        1.0
    """
    x = floating(op, x)
    given = dtype_name(x)
    wide = op.cast(x, dtypes.widened(given))
    apart = op.Sub(wide, mean(op, wide, axis, True))
    return op.cast(mean(op, op.Mul(apart, apart), axis, keepdims), given)


@tensor_function()
def std(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the standard deviation, the root of `var`."""
    return op.Sqrt(var(op, x, axis, keepdims))


@tensor_function()
def moments(
    op: Emitter, x: Any, axes: Axes, keepdims: bool = False, synchronized: bool = False
) -> tuple[ir.Value, ir.Value]:
    """Return mean and variance.

    Args:
        x: tensor of floating-point numbers.
        axes: axes that vanish.
        keepdims: whether they stay, with size 1.
        synchronized: must be False: a function knows of one process.

    Raises:
        ValueError: if `synchronized` is True.
    """
    if synchronized:
        raise ValueError(
            "`moments` computes on one process. Received: synchronized=True. Use "
            "BatchNormalization(synchronized=True) in a distributed training."
        )
    x = floating(op, x)
    return mean(op, x, axes, keepdims), var(op, x, axes, keepdims)


@tensor_function()
def average(op: Emitter, x: Any, axis: Axes = None, weights: Any = None) -> ir.Value:
    """Return the mean, weighted where there are weights.

    Args:
        x: tensor.
        axis: axis that vanishes; None: all.
        weights: of the shape of x, or a vector along `axis`.
    """
    if weights is None:
        return mean(op, x, axis)
    x, weights = floats(op, x, weights)
    rank = rank_of(x)
    if rank_of(weights) == 1 and rank > 1:
        at = axis_of(axis, rank)
        weights = op.Unsqueeze(weights, [1 + i for i in range(rank - 1 - at)] or [0])
    total = sum(op, op.Mul(x, weights), axis)
    whole = op.Expand(weights, op.Shape(x))
    return op.Div(total, sum(op, whole, axis))


@tensor_function()
def quantile(
    op: Emitter,
    x: Any,
    q: Any,
    axis: Axes = None,
    method: str = "linear",
    keepdims: bool = False,
) -> ir.Value:
    """Return the number that a share of all is below.

    Args:
        x: tensor.
        q: share from 0 to 1, or a vector of them: its axis comes first in the result.
        axis: axis or axes that vanish; None: all.
        method: between two numbers `"linear"`, `"lower"`, `"higher"`, `"midpoint"` or `"nearest"`.
        keepdims: whether the axes stay, with size 1.

    Raises:
        ValueError: for another method.

    Example:
        >>> quantile([1.0, 2.0, 4.0], 0.75).tolist()
        3.0
    """
    x = floating(op, x)
    ordered, size = _sorted_lines(op, x, axis)
    top = op.Sub(vector(op, [size]), 1)
    return _quantile(op, x, ordered, top, q, axis, method, keepdims)


def quantile_of_numbers(
    op: Emitter, x: ir.Value, q: Any, axis: Axes, method: str, keepdims: bool
) -> ir.Value:
    """Return the quantile of what is not NaN; NaN where nothing is left.

    Args:
        op: emitter of the graph.
        x: floating-point numbers.
        q: see `quantile`.
        axis: see `quantile`.
        method: see `quantile`.
        keepdims: see `quantile`.
    """
    missing = op.IsNaN(x)
    ordered, _ = _sorted_lines(op, op.Where(missing, math.inf, x), axis)
    lines = _lines(op, op.cast(op.Not(missing), "int64"), axis)[0]
    last = op.Sub(op.ReduceSum(lines, [-1], keepdims=1), 1)
    found = _quantile(op, x, ordered, op.Max(last, number(op, 0, last)), q, axis, method, keepdims)
    none = op.ReduceMin(op.cast(missing, "int32"), axes_of(axis, rank_of(x)), keepdims=keepdims)
    return op.Where(op.cast(none, "bool"), math.nan, found)


def _quantile(
    op: Emitter,
    x: ir.Value,
    ordered: ir.Value,
    top: ir.Value,
    q: Any,
    axis: Axes,
    method: str,
    keepdims: bool,
) -> ir.Value:
    """Numbers at a share of the way to the last place `top` of each line."""
    dtype = dtype_name(ordered)
    share = op.cast(tensor(op, q), dtype)
    place = op.Mul(op.cast(top, dtype), op.Reshape(share, np.array([-1], np.int64)))
    found = _at(op, ordered, place, method)
    rank = rank_of(found)
    if rank_of(share) == 0:
        found = op.Squeeze(found, [-1])
    elif rank > 1:
        found = op.Transpose(found, perm=[rank - 1, *range(rank - 1)])
    if keepdims:
        gone = [a + rank_of(share) for a in axes_of(axis, rank_of(x))]
        found = op.Unsqueeze(found, gone)
    return op.cast(found, dtype_name(x))


def _at(op: Emitter, ordered: ir.Value, place: ir.Value, method: str) -> ir.Value:
    """The number at a place that may be between two numbers."""
    low = op.Floor(place)

    def read(where: ir.Value) -> ir.Value:
        at = op.cast(where, "int64")
        if rank_of(at) == 1:
            return op.Gather(ordered, at, axis=-1)
        return op.GatherElements(ordered, at, axis=-1)

    if method == "lower":
        return read(low)
    if method == "higher":
        return read(op.Ceil(place))
    if method == "nearest":
        return read(op.Round(place))
    below, above = read(low), read(op.Ceil(place))
    if method == "midpoint":
        return op.Mul(op.Add(below, above), 0.5)
    if method == "linear":
        return op.Add(below, op.Mul(op.Sub(above, below), op.Sub(place, low)))
    raise ValueError(
        "`method` must be 'linear', 'lower', 'higher', 'midpoint' or 'nearest'. "
        f"Received: method={method!r}"
    )


@tensor_function()
def percentile(
    op: Emitter,
    x: Any,
    q: Any,
    axis: Axes = None,
    method: str = "linear",
    keepdims: bool = False,
) -> ir.Value:
    """Return the number that `q` of 100 are below; arguments as those of `quantile`."""
    return quantile(op, x, op.Div(floating(op, q), 100.0), axis, method, keepdims)


@tensor_function()
def median(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the number in the middle, of two the mean."""
    return quantile(op, x, 0.5, axis, "linear", keepdims)


@tensor_function()
def corrcoef(op: Emitter, x: Any) -> ir.Value:
    """Return the correlation of each two rows of a matrix."""
    x = floating(op, x)
    apart = op.Sub(x, mean(op, x, -1, True))
    products = op.MatMul(apart, op.Transpose(apart, perm=[1, 0]))
    lengths = op.Sqrt(sum(op, op.Mul(apart, apart), -1, True))
    return op.Clip(op.Div(op.Div(products, lengths), op.Transpose(lengths, perm=[1, 0])), -1.0, 1.0)


def _sorted_lines(op: Emitter, x: ir.Value, axis: Axes) -> tuple[ir.Value, Size]:
    """The numbers of each line in order, at least float32, and how many there are."""
    lines, count = _lines(op, op.cast(x, dtypes.widened(dtype_name(x))), axis)
    ordered, _ = op.TopK(lines, vector(op, [count]), axis=-1, largest=0, sorted=1, _outputs=2)
    return noted(ordered, static_shape(lines)), count


def _lines(op: Emitter, x: ir.Value, axis: Axes) -> tuple[ir.Value, Size]:
    """The numbers along some axes as a new last axis, and its size."""
    rank = rank_of(x)
    axes = axes_of(axis, rank)
    others = [a for a in range(rank) if a not in axes]
    sizes = sizes_of(x)
    moved = x if [*others, *axes] == [*range(rank)] else op.Transpose(x, perm=[*others, *axes])
    count = product(op, [sizes[a] for a in axes])
    return reshaped(op, moved, [*(sizes[a] for a in others), count]), count
