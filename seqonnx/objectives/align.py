"""Targets and predictions are brought to one dtype and one rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name, static_shape

Axes = int | Sequence[int] | None
"""The argument `axis`: an axis, several, or None for all."""


def aligned(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return targets and predictions with the dtype of the predictions and one rank.

    Args:
        op: emitter of the graph.
        y_true: targets, any numeric type.
        y_pred: predictions, floating point.
    """
    return match_ranks(op, to_type_of(op, y_true, y_pred), y_pred)


def match_ranks(op: Emitter, first: ir.Value, second: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Remove or add a last dimension of size 1 where the ranks differ by it, as Keras does.

    `(N, 1)` with `(N,)` gives both `(N, 1)`; `(N, T, 1)` with `(N, T)` gives both `(N, T)`.

    Args:
        op: emitter of the graph.
        first: a value.
        second: a value.

    Returns:
        Both; unchanged if their ranks agree, or differ otherwise.
    """
    longer, shorter = static_shape(first), static_shape(second)
    if len(longer) + 1 == len(shorter):
        other, this = match_ranks(op, second, first)
        return this, other
    if len(longer) == len(shorter) + 1 and longer[-1] == 1:
        if len(shorter) == 1:
            second = op.Unsqueeze(second, [-1])
        else:
            first = op.Squeeze(first, [-1])
    return first, second


def to_type_of(op: Emitter, value: ir.Value, like: ir.Value) -> ir.Value:
    """Cast `value` to the dtype of `like` where it has another one."""
    if like.dtype is None or value.dtype == like.dtype:
        return value
    return op.Cast(value, to=int(like.dtype))


def mean_along(op: Emitter, value: ir.Value, axis: Axes = -1) -> ir.Value:
    """Mean over axes, which vanish; a size of 1 costs no arithmetic.

    Args:
        op: emitter of the graph.
        value: a value.
        axis: an axis, several, or None for all.
    """
    axes = axes_in(value, axis)
    if all(static_shape(value)[one] == 1 for one in axes):
        return op.Squeeze(value, axes)
    return op.ReduceMean(value, axes, keepdims=0)


def mean_of_last(op: Emitter, value: ir.Value) -> ir.Value:
    """Mean over the last axis, which vanishes; a size of 1 costs no arithmetic."""
    return mean_along(op, value)


def axes_in(value: ir.Value, axis: Axes) -> list[int]:
    """Return the axes that an argument `axis` names, as it counts them.

    Args:
        value: what has the axes.
        axis: an axis, several, or None for all.

    Raises:
        ValueError: if there is no such axis, or it is no integer.
    """
    rank = len(static_shape(value))
    if axis is None:
        return list(range(rank))
    axes = [axis] if isinstance(axis, int) else list(axis)
    for one in axes:
        if isinstance(one, bool) or not isinstance(one, int) or not -rank <= one < rank:
            raise ValueError(
                f"`axis` must be an integer in [{-rank}, {rank}) for values of shape "
                f"{static_shape(value)}. Received: axis={axis} of type {type(axis)}"
            )
    return axes


def power(op: Emitter, value: ir.Value, exponent: float) -> ir.Value:
    """Emit a power whose exponent has the digits of the value: ONNX takes one of another dtype."""
    constant = op.constant(np.asarray(exponent, dtype_name(value)), "exponent")
    result: ir.Value = op.Pow(value, constant)
    return result
