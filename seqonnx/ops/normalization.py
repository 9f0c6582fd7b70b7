"""Numbers scaled to a length, a mean, a variance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from seqonnx import defaults, dtypes
from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.linear_algebra import norm
from seqonnx.ops.promotion import floating, floats
from seqonnx.ops.reduction import mean, sum
from seqonnx.ops.sizes import Size, axes_of, axis_of, rank_of, reshaped, sizes_of
from seqonnx.ops.statistics import var
from seqonnx.tensor_function import tensor_function


@tensor_function()
def normalize(
    op: Emitter, x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None
) -> ir.Value:
    """Return x divided by its norm.

    Args:
        x: tensor.
        axis: axis or axes of the norm.
        order: which norm, from 1 on.
        epsilon: smallest norm that counts; default 1e-7.

    Raises:
        ValueError: if `order` is no integer from 1 on.

    Example:
        >>> normalize([[3.0, 4.0]]).tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    if not isinstance(order, int) or not order >= 1:
        raise ValueError(f"Argument `order` must be an int >= 1. Received: order={order}")
    x = floating(op, x)
    x = op.Unsqueeze(x, [0]) if rank_of(x) == 0 else x
    least = defaults.epsilon() if epsilon is None else epsilon
    if order != 2:
        return op.Div(x, op.Clip(norm(op, x, order, axis, True), least, None))
    length = op.Sqrt(sum(op, op.Mul(x, x), axis, True))
    return op.Mul(x, op.Clip(op.Reciprocal(length), None, 1.0 / least))


@tensor_function()
def batch_normalization(
    op: Emitter,
    x: Any,
    mean: Any,
    variance: Any,
    axis: int,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
) -> ir.Value:
    """Return (x - mean) / sqrt(variance + epsilon), times `scale`, plus `offset`.

    Args:
        x: tensor.
        mean: vector along `axis`.
        variance: vector along `axis`.
        axis: the axis of the features.
        offset: vector along `axis`, or None.
        scale: vector along `axis`, or None.
        epsilon: added to the variance.
    """
    x, mean, variance = floats(op, x, mean, variance)
    rank = rank_of(x)
    axes = [axis_of(axis, rank)]
    factor = op.Reciprocal(op.Sqrt(op.Add(_along(op, variance, axes, x), epsilon)))
    if scale is not None:
        factor = op.Mul(factor, _along(op, _like(op, scale, x), axes, x))
    y = op.Mul(op.Sub(x, _along(op, mean, axes, x)), factor)
    return y if offset is None else op.Add(y, _along(op, _like(op, offset, x), axes, x))


@tensor_function()
def layer_normalization(
    op: Emitter,
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> ir.Value:
    """Return x with mean 0 and variance 1 along axes, times gamma, plus beta.

    Args:
        x: tensor.
        gamma: factor of the sizes of the axes, or None.
        beta: what is added, of the sizes of the axes, or None.
        axis: axis or axes.
        epsilon: added to the variance; default 1e-7.
        **kwargs: `rms_scaling`, which must be False: use `rms_normalization`.

    Raises:
        ValueError: if `rms_scaling` is True, or another argument is given.
    """
    if len(kwargs) > 0 and kwargs != {"rms_scaling": False}:
        raise ValueError(
            f"`layer_normalization` takes no {kwargs}. Use `rms_normalization` to scale by the "
            "root of the mean square."
        )
    x, given = _wide(op, x)
    axes = axes_of(axis, rank_of(x))
    apart = op.Sub(x, mean(op, x, axes, True))
    y = op.Mul(apart, _inverse_root(op, var(op, x, axes, True), epsilon))
    y = y if gamma is None else op.Mul(y, _along(op, _like(op, gamma, x), axes, x))
    y = y if beta is None else op.Add(y, _along(op, _like(op, beta, x), axes, x))
    return op.cast(y, given)


@tensor_function()
def rms_normalization(
    op: Emitter,
    x: Any,
    scale: Any = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> ir.Value:
    """Return x divided by the root of its mean square along axes, times `scale`.

    Args:
        x: tensor.
        scale: factor of the sizes of the axes, or None.
        axis: axis or axes.
        epsilon: added to the mean square; default 1e-7.
    """
    x, given = _wide(op, x)
    axes = axes_of(axis, rank_of(x))
    y = op.Mul(x, _inverse_root(op, mean(op, op.Mul(x, x), axes, True), epsilon))
    y = y if scale is None else op.Mul(y, _along(op, _like(op, scale, x), axes, x))
    return op.cast(y, given)


def _wide(op: Emitter, x: Any) -> tuple[ir.Value, str]:
    """x in at least float32, and its dtype."""
    x = floating(op, x)
    given = dtype_name(x)
    return op.cast(x, dtypes.widened(given)), given


def _inverse_root(op: Emitter, x: ir.Value, epsilon: float | None) -> ir.Value:
    return op.Reciprocal(op.Sqrt(op.Add(x, defaults.epsilon() if epsilon is None else epsilon)))


def _like(op: Emitter, weight: Any, x: ir.Value) -> ir.Value:
    return op.cast(floating(op, weight), dtype_name(x))


def _along(op: Emitter, weight: ir.Value, axes: list[int], x: ir.Value) -> ir.Value:
    """A weight of the sizes of some axes, to be broadcast with x."""
    rank = rank_of(x)
    if axes == list(range(rank - len(axes), rank)) or rank_of(weight) == rank:
        return weight
    sizes: list[Size] = [1] * rank
    for axis, size in zip(axes, sizes_of(weight), strict=True):
        sizes[axis] = size
    return reshaped(op, weight, sizes)
