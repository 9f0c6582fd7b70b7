"""Targets and predictions are brought to one element type and one rank."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape

EPSILON = 1e-7
"""The small number of Keras (`keras.config.epsilon()`) that keeps logarithms finite."""


def aligned(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return targets and predictions with the element type of the predictions and one rank.

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
    """Cast `value` to the element type of `like` where it has another one."""
    if like.dtype is None or value.dtype == like.dtype:
        return value
    return op.Cast(value, to=int(like.dtype))


def mean_of_last(op: Emitter, value: ir.Value) -> ir.Value:
    """Mean over the last axis, which vanishes; a size of 1 costs no arithmetic."""
    if static_shape(value)[-1] == 1:
        return op.Squeeze(value, [-1])
    return op.ReduceMean(value, [-1], keepdims=0)
