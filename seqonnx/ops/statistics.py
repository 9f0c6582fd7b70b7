"""Statistics: spread, quantiles, weighted means, correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.promotion import floating, floats, tensor
from seqonnx.ops.reduction import Axes, mean, sum
from seqonnx.ops.sizes import axes_of, axis_of, product, rank_of, reshaped, sizes_of, vector
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
    given = dtype_name(x)
    ordered = _sorted_lines(op, op.cast(x, dtypes.widened(given)), axis)
    last = sizes_of(ordered)[-1]
    top = op.Sub(vector(op, [last]), 1)
    found = at_share(op, ordered, q, top, method)
    if keepdims:
        found = _with_axes(op, found, axis, rank_of(x), rank_of(tensor(op, q)))
    return op.cast(found, given)


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


def _sorted_lines(op: Emitter, x: ir.Value, axis: Axes) -> ir.Value:
    """The numbers of each line in order, along a new last axis in the place of `axis`."""
    rank = rank_of(x)
    axes = axes_of(axis, rank)
    others = [a for a in range(rank) if a not in axes]
    sizes = sizes_of(x)
    moved = op.Transpose(x, perm=[*others, *axes]) if [*others, *axes] != [*range(rank)] else x
    count = product(op, [sizes[a] for a in axes])
    lines = reshaped(op, moved, [*(sizes[a] for a in others), count])
    ordered, _ = op.TopK(lines, vector(op, [count]), axis=-1, largest=0, sorted=1, _outputs=2)
    ordered.shape = lines.shape
    return ordered


def at_share(op: Emitter, ordered: ir.Value, q: Any, top: ir.Value, method: str) -> ir.Value:
    """Return what lies at a share of the way along the last axis, the axis of `q` first.

    Args:
        op: emitter of the graph.
        ordered: numbers in order along the last axis.
        q: share, or a vector of them.
        top: the last place, an int64 vector of one number.
        method: see `quantile`.
    """
    dtype = dtype_name(ordered)
    share = op.cast(tensor(op, q), dtype)
    place = op.Mul(share, op.Squeeze(op.cast(top, dtype), [0]))
    low, high = op.Floor(place), op.Ceil(place)
    below, above = (op.Gather(ordered, op.cast(at, "int64"), axis=-1) for at in (low, high))
    if method == "lower":
        found = below
    elif method == "higher":
        found = above
    elif method == "nearest":
        found = op.Gather(ordered, op.cast(op.Round(place), "int64"), axis=-1)
    elif method == "midpoint":
        found = op.Mul(op.Add(below, above), 0.5)
    elif method == "linear":
        found = op.Add(below, op.Mul(op.Sub(above, below), op.Sub(place, low)))
    else:
        raise ValueError(
            "`method` must be 'linear', 'lower', 'higher', 'midpoint' or 'nearest'. "
            f"Received: method={method!r}"
        )
    rank = rank_of(found)
    if rank_of(share) == 0 or rank == 1:
        return found
    return op.Transpose(found, perm=[rank - 1, *range(rank - 1)])


def _with_axes(op: Emitter, found: ir.Value, axis: Axes, rank: int, before: int) -> ir.Value:
    """A result with axes of size 1 where axes have vanished; `before` come first."""
    return op.Unsqueeze(found, np.array([a + before for a in axes_of(axis, rank)], np.int64))
