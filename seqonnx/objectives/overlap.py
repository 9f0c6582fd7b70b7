"""Overlaps of regions: how much of what is predicted and of what is right is the same."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.defaults import epsilon
from seqonnx.graph import Emitter
from seqonnx.objectives.align import Axes, aligned, axes_in
from seqonnx.objectives.loss_function import loss_function


@loss_function
def dice(op: Emitter, y_true: ir.Value, y_pred: ir.Value, axis: Axes = None) -> ir.Value:
    """Emit 1 - 2 sum(y p) / (sum(y) + sum(p) + 1e-7).

    Args:
        op: emitter of the graph.
        y_true: targets y in [0, 1], with the shape of `y_pred`.
        y_pred: predictions p in [0, 1], shape `(batch, ...)`.
        axis: the axis, or axes, of the sums; None: all of the batch.

    Returns:
        Values of the shape of `y_pred` without the axes; one number for None. Source: Milletari
        et al., "V-Net", 2016.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    axes = axes_in(y_pred, axis)
    both = _sum(op, op.Mul(y_true, y_pred), axes)
    sizes = op.Add(op.Add(_sum(op, y_true, axes), _sum(op, y_pred, axes)), epsilon())
    return op.Sub(1.0, op.Div(op.Mul(both, 2.0), sizes))


@loss_function
def tversky(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Axes = None,
) -> ir.Value:
    """Emit 1 - t / (t + alpha m + beta f + 1e-7), t = sum(y p).

    m = sum(y (1 - p)) is what the predictions miss, f = sum((1 - y) p) what they add. (The
    paper has alpha and beta the other way round; this is what Keras computes.)

    Args:
        op: emitter of the graph.
        y_true: targets y in [0, 1], with the shape of `y_pred`.
        y_pred: predictions p in [0, 1], shape `(batch, ...)`.
        alpha: weight of what is missed.
        beta: weight of what is added.
        axis: the axis, or axes, of the sums; None: all of the batch.

    Returns:
        Values of the shape of `y_pred` without the axes; one number for None. Source: Salehi et
        al., "Tversky loss function for image segmentation", 2017.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    axes = axes_in(y_pred, axis)
    both = _sum(op, op.Mul(y_true, y_pred), axes)
    missed = _sum(op, op.Mul(y_true, op.Sub(1.0, y_pred)), axes)
    added = _sum(op, op.Mul(op.Sub(1.0, y_true), y_pred), axes)
    wrong = op.Add(op.Mul(missed, float(alpha)), op.Mul(added, float(beta)))
    return op.Sub(1.0, op.Div(both, op.Add(op.Add(both, wrong), epsilon())))


def _sum(op: Emitter, value: ir.Value, axes: list[int]) -> ir.Value:
    """The sum over axes, which vanish."""
    result: ir.Value = op.ReduceSum(value, axes, keepdims=0)
    return result
