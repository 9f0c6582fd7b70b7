"""Cross-entropies: binary, categorical, with integer labels, and the generalised one.

Where `y_pred` comes from a Sigmoid or a Softmax of the same graph, its logits are used, so that
`Dense(10, activation="softmax")` trains as stably as `from_logits=True`. Other probabilities are
clipped to [1e-7, 1 - 1e-7].
"""

from __future__ import annotations

import math

import onnx_ir as ir

from seqonnx.defaults import epsilon
from seqonnx.graph import Emitter, static_shape
from seqonnx.lowering.logits import logits_behind
from seqonnx.objectives.align import (
    Axes,
    aligned,
    axes_in,
    mean_along,
    power,
    to_type_of,
)
from seqonnx.objectives.loss_function import loss_function

_FEW = 8
"""Outputs per sample up to which a batch is small enough for the Softplus operator."""

_INDEX_TYPES = frozenset({ir.DataType.INT32, ir.DataType.INT64})


@loss_function
def binary_crossentropy(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axes = -1,
) -> ir.Value:
    """Emit -(y log p + (1 - y) log(1 - p)), the mean over an axis.

    From a logit x this is softplus(x) - x y, whose gradient is sigmoid(x) - y everywhere.

    Args:
        op: emitter of the graph.
        y_true: targets in [0, 1].
        y_pred: probabilities, or logits with `from_logits`; shape `(batch, ...)`.
        from_logits: whether `y_pred` has not been through a sigmoid.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / 2.
        axis: the axis, or axes, of the mean.

    Returns:
        Values of the shape of `y_pred` without the axis.
    """
    logits = y_pred if from_logits else logits_behind(op, y_pred, "Sigmoid")
    y_true, scores = aligned(op, y_true, y_pred if logits is None else logits)
    y_true = smoothed(op, y_true, label_smoothing)
    return mean_along(op, of_bits(op, y_true, scores, logits is not None), axis)


@loss_function
def categorical_crossentropy(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> ir.Value:
    """Emit -sum(y log p) over the classes, each row of p scaled to the sum 1.

    Args:
        op: emitter of the graph.
        y_true: one row of class weights (one-hot, or soft labels) per sample.
        y_pred: probabilities, or logits with `from_logits`; shape `(batch, ..., classes)`.
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
    else:
        p = op.Div(y_pred, op.ReduceSum(y_pred, [at]))
        log_p = op.Log(op.Clip(p, epsilon(), 1.0 - epsilon()))
    return op.Neg(op.ReduceSum(op.Mul(y_true, log_p), [at], keepdims=0))


@loss_function
def sparse_categorical_crossentropy(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> ir.Value:
    """Emit -log(p of the labelled class), each row of p scaled to the sum 1.

    Args:
        op: emitter of the graph.
        y_true: integer labels, of the shape of the result or that with a 1 for the classes.
        y_pred: probabilities, or logits with `from_logits`; shape `(batch, ..., classes)`.
        from_logits: whether `y_pred` has not been through a softmax.
        ignore_class: label whose samples get the value 0 and do not count: they are masked.
        axis: the axis of the classes.

    Returns:
        Values of the shape of `y_pred` without the axis of the classes.
    """
    (at,) = axes_in(y_pred, axis)
    labels = class_labels(op, y_true, y_pred, at)
    counts = None
    if ignore_class is not None:
        counts = op.Not(op.Equal(labels, ignore_class))
        labels = op.Where(counts, labels, 0)
    index = op.Unsqueeze(labels, [at])
    place = at % len(static_shape(y_pred))
    logits = y_pred if from_logits else logits_behind(op, y_pred, "Softmax", at)
    if logits is not None:
        log_p = op.GatherElements(op.LogSoftmax(logits, axis=at), index, axis=place)
    else:
        p = op.Div(op.GatherElements(y_pred, index, axis=place), op.ReduceSum(y_pred, [at]))
        log_p = op.Log(op.Clip(p, epsilon(), 1.0 - epsilon()))
    values = op.Neg(op.Squeeze(log_p, [at]))
    if counts is not None:
        values = op.Mul(values, to_type_of(op, counts, values))
        op.set_mask(values, counts)
    return values


@loss_function
def categorical_generalized_cross_entropy(
    op: Emitter, y_true: ir.Value, y_pred: ir.Value, q: float
) -> ir.Value:
    """Emit (1 - p^q) / q of the probability p of the labelled class.

    Towards q = 0 this is the cross-entropy, at 1 the absolute error, which wrong labels harm less.

    Args:
        op: emitter of the graph.
        y_true: integer labels, shape `y_pred.shape[:-1]` or that with a last 1.
        y_pred: probabilities, shape `(batch, ..., classes)`.
        q: exponent in (0, 1).

    Returns:
        Values of shape `y_pred.shape[:-1]`. Source: Zhang, Sabuncu, "Generalized cross entropy
        loss for training deep neural networks with noisy labels", 2018.
    """
    index = op.Unsqueeze(class_labels(op, y_true, y_pred), [-1])
    last = len(static_shape(y_pred)) - 1
    logits = logits_behind(op, y_pred, "Softmax")
    if logits is not None:
        log_p = op.GatherElements(op.LogSoftmax(logits, axis=-1), index, axis=last)
        raised = op.Exp(op.Mul(log_p, q))
    else:
        raised = power(op, op.GatherElements(y_pred, index, axis=last), q)
    return op.Squeeze(op.Div(op.Sub(1.0, raised), q), [-1])


def class_labels(op: Emitter, y_true: ir.Value, y_pred: ir.Value, axis: int = -1) -> ir.Value:
    """Return labels as integers of the shape of `y_pred` without the axis of the classes.

    Args:
        op: emitter of the graph.
        y_true: labels of any numeric type, with or without a dimension of size 1 for the classes.
        y_pred: scores.
        axis: the axis of the classes.
    """
    shape = static_shape(y_true)
    if len(shape) == len(static_shape(y_pred)) and shape[axis] == 1:
        y_true = op.Squeeze(y_true, [axis])
    if y_true.dtype not in _INDEX_TYPES:
        y_true = op.Cast(y_true, to=int(ir.DataType.INT64))
    return y_true


def of_bits(op: Emitter, y_true: ir.Value, scores: ir.Value, from_logits: bool) -> ir.Value:
    """Emit -(y log p + (1 - y) log(1 - p)) for each number.

    Args:
        op: emitter of the graph.
        y_true: targets in [0, 1], of the dtype and rank of the scores.
        scores: logits, or probabilities, which are clipped.
        from_logits: which of them.
    """
    if from_logits:
        return op.Sub(_softplus(op, scores), op.Mul(scores, y_true))
    p = op.Clip(scores, epsilon(), 1.0 - epsilon())
    hit = op.Mul(y_true, op.Log(p))
    miss = op.Mul(op.Sub(1.0, y_true), op.Log(op.Sub(1.0, p)))
    return op.Neg(op.Add(hit, miss))


def smoothed(op: Emitter, y_true: ir.Value, label_smoothing: float) -> ir.Value:
    """Emit targets in [0, 1] that are moved towards 1/2."""
    if label_smoothing == 0:
        return y_true
    return op.Add(op.Mul(y_true, 1.0 - label_smoothing), 0.5 * label_smoothing)


def smoothed_classes(
    op: Emitter, y_true: ir.Value, label_smoothing: float, y_pred: ir.Value, axis: int
) -> ir.Value:
    """Emit weights of classes that are moved towards equal ones.

    Args:
        op: emitter of the graph.
        y_true: weights, of the dtype of the predictions.
        label_smoothing: s in [0, 1]; weights become y (1 - s) + s / classes.
        y_pred: predictions.
        axis: the axis of the classes.
    """
    if label_smoothing == 0:
        return y_true
    kept = op.Mul(y_true, 1.0 - label_smoothing)
    return op.Add(kept, _share(op, label_smoothing, y_pred, axis))


def _softplus(op: Emitter, x: ir.Value) -> ir.Value:
    """log(1 + exp(x)) with a gradient that is right at 0, too.

    The usual max(x, 0) + log(1 + exp(-|x|)) has two kinks at 0, which cancel, but not for rules
    that call both derivatives 0: a network that starts at zero would not learn from negatives.
    """
    sizes = static_shape(x)[1:]
    known = [size for size in sizes if isinstance(size, int)]
    if len(known) == len(sizes) and math.prod(known) <= _FEW:
        return op.Softplus(x)
    # ONNX Runtime computes Softplus one number at a time: above about 1,000 numbers more nodes
    # are faster (at 65,536 with the gradient: 0.7 ms against 1.2 ms).
    top = op.Relu(x)
    both = op.Add(op.Exp(op.Sub(x, top)), op.Exp(op.Neg(top)))
    return op.Add(top, op.Log(both))


def _share(op: Emitter, whole: float, y_pred: ir.Value, axis: int) -> float | ir.Value:
    """`whole` divided by the number of classes: a number where the graph knows it."""
    place = axis % len(static_shape(y_pred))
    size = static_shape(y_pred)[place]
    if isinstance(size, int):
        return whole / size
    return op.Div(whole, to_type_of(op, op.Shape(y_pred, start=place, end=place + 1), y_pred))
