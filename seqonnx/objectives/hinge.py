"""Margins: hinge losses. Targets are -1 and 1; a batch of only 0 and 1 is converted."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.objectives.align import aligned, mean_of_last, to_type_of
from seqonnx.objectives.loss_function import loss_function


@loss_function
def hinge(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit mean(max(1 - y_true y_pred, 0)) over the last axis.

    Args:
        op: emitter of the graph.
        y_true: targets -1 and 1 (or 0 and 1), with the shape of `y_pred`.
        y_pred: scores, shape `(batch, ...)`.

    Returns:
        Values of shape `y_pred.shape[:-1]`.
    """
    return mean_of_last(op, _shortfall(op, y_true, y_pred))


@loss_function
def squared_hinge(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit mean(max(1 - y_true y_pred, 0)^2) over the last axis; arguments as `hinge`."""
    shortfall = _shortfall(op, y_true, y_pred)
    return mean_of_last(op, op.Mul(shortfall, shortfall))


@loss_function
def categorical_hinge(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit max(neg - pos + 1, 0), pos = sum(y_true y_pred), neg = max((1 - y_true) y_pred).

    Args:
        op: emitter of the graph.
        y_true: one-hot rows, with the shape of `y_pred`.
        y_pred: scores, shape `(batch, ..., classes)`.

    Returns:
        Values of shape `y_pred.shape[:-1]`.
    """
    y_true = to_type_of(op, y_true, y_pred)
    positive = op.ReduceSum(op.Mul(y_true, y_pred), [-1], keepdims=0)
    negative = op.ReduceMax(op.Mul(op.Sub(1.0, y_true), y_pred), [-1], keepdims=0)
    return op.Relu(op.Add(op.Sub(negative, positive), 1.0))


def _shortfall(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """By how much each score misses the margin 1."""
    y_true, y_pred = aligned(op, y_true, y_pred)
    binary = op.Or(op.Equal(y_true, 0.0), op.Equal(y_true, 1.0))
    # 1 if the whole batch is 0 and 1: then y + (y - 1) maps these to -1 and 1.
    convert = op.ReduceMin(to_type_of(op, binary, y_pred), keepdims=0)
    signs = op.Add(y_true, op.Mul(op.Sub(y_true, 1.0), convert))
    return op.Relu(op.Sub(1.0, op.Mul(signs, y_pred)))
