"""Focal cross-entropies: what is predicted well counts less.

Source of the formulas: Lin et al., "Focal loss for dense object detection", 2017. Where `y_pred`
comes from a Sigmoid or a Softmax of the same graph, its logits are used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.defaults import epsilon
from seqonnx.graph import Emitter, dtype_name
from seqonnx.lowering.logits import logits_behind
from seqonnx.objectives.align import (
    Axes,
    aligned,
    axes_in,
    mean_along,
    power,
    to_type_of,
)
from seqonnx.objectives.crossentropy import of_bits, smoothed, smoothed_classes
from seqonnx.objectives.loss_function import loss_function


@loss_function
def binary_focal_crossentropy(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axes = -1,
) -> ir.Value:
    """Emit the mean over an axis of (1 - h)^gamma times the binary cross-entropy.

    Here h = y p + (1 - y) (1 - p) is the probability that was given to what is right.

    Args:
        op: emitter of the graph.
        y_true: targets y in [0, 1].
        y_pred: probabilities p, or logits with `from_logits`; shape `(batch, ...)`.
        apply_class_balancing: whether values are multiplied by alpha where y is 1 and by
            1 - alpha where it is 0.
        alpha: weight of the class 1.
        gamma: exponent of the factor; 0 is the cross-entropy.
        from_logits: whether `y_pred` has not been through a sigmoid.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / 2.
        axis: the axis, or axes, of the mean.

    Returns:
        Values of the shape of `y_pred` without the axis.
    """
    logits = y_pred if from_logits else logits_behind(op, y_pred, "Sigmoid")
    y_true, scores = aligned(op, y_true, y_pred if logits is None else logits)
    y_true = smoothed(op, y_true, label_smoothing)
    p = scores if logits is None else op.Sigmoid(scores)
    values = of_bits(op, y_true, scores, logits is not None)
    miss = op.Sub(1.0, y_true)
    if gamma != 0:
        hit = op.Add(op.Mul(y_true, p), op.Mul(miss, op.Sub(1.0, p)))
        values = op.Mul(power(op, op.Sub(1.0, hit), gamma), values)
    if apply_class_balancing:
        weight = op.Add(op.Mul(y_true, float(alpha)), op.Mul(miss, 1.0 - alpha))
        values = op.Mul(weight, values)
    return mean_along(op, values, axis)


@loss_function
def categorical_focal_crossentropy(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> ir.Value:
    """Emit -sum(alpha (1 - p)^gamma y log p) over the classes, rows of p scaled to the sum 1.

    Args:
        op: emitter of the graph.
        y_true: one row of class weights y (one-hot, or soft labels) per sample.
        y_pred: probabilities p, or logits with `from_logits`; shape `(batch, ..., classes)`.
        alpha: weight of all classes, or one for each along the last axis.
        gamma: exponent of the factor; 0 is the cross-entropy.
        from_logits: whether `y_pred` has not been through a softmax.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / classes.
        axis: the axis of the classes.

    Returns:
        Values of the shape of `y_pred` without the axis of the classes.
    """
    (at,) = axes_in(y_pred, axis)
    y_true = smoothed_classes(op, to_type_of(op, y_true, y_pred), label_smoothing, y_pred, at)
    logits = y_pred if from_logits else logits_behind(op, y_pred, "Softmax", at)
    if logits is not None:
        log_p = op.LogSoftmax(logits, axis=at)
        p = op.Exp(log_p)
    else:
        p = op.Clip(op.Div(y_pred, op.ReduceSum(y_pred, [at])), epsilon(), 1.0 - epsilon())
        log_p = op.Log(p)
    values = op.Neg(op.Mul(y_true, log_p))
    if gamma != 0:
        values = op.Mul(power(op, op.Sub(1.0, p), gamma), values)
    weight = op.constant(np.asarray(alpha, dtype_name(values)), "alpha")
    return op.ReduceSum(op.Mul(values, weight), [at], keepdims=0)
