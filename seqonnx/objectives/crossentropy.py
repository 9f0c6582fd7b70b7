"""Cross-entropies: binary, categorical and categorical with integer labels.

Where `y_pred` comes from a Sigmoid or a Softmax of the same graph, its logits are used, so that
`Dense(10, activation="softmax")` trains as stably as `from_logits=True`. Other probabilities are
clipped to [1e-7, 1 - 1e-7].
"""

from __future__ import annotations

import math

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.lowering.logits import logits_behind
from seqonnx.objectives.align import EPSILON, aligned, mean_of_last, to_type_of
from seqonnx.tensor_function import TensorFunction

_FEW = 8
"""Outputs per sample up to which a batch is small enough for the Softplus operator."""

_INDEX_TYPES = frozenset({ir.DataType.INT32, ir.DataType.INT64})


@TensorFunction
def binary_crossentropy(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    *,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> ir.Value:
    """Emit -(y log p + (1 - y) log(1 - p)), the mean over the last axis.

    From a logit x this is softplus(x) - x y, whose gradient is sigmoid(x) - y everywhere.

    Args:
        op: emitter of the graph.
        y_true: targets in [0, 1].
        y_pred: probabilities, or logits with `from_logits`; shape `(batch, ...)`.
        from_logits: whether `y_pred` has not been through a sigmoid.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / 2.

    Returns:
        Values of shape `y_pred.shape[:-1]`.
    """
    logits = y_pred if from_logits else logits_behind(op, y_pred, "Sigmoid")
    y_true, scores = aligned(op, y_true, y_pred if logits is None else logits)
    if label_smoothing > 0:
        smooth = op.Mul(y_true, 1.0 - label_smoothing)
        y_true = op.Add(smooth, 0.5 * label_smoothing)
    if logits is not None:
        return mean_of_last(op, op.Sub(_softplus(op, scores), op.Mul(scores, y_true)))
    p = op.Clip(scores, EPSILON, 1.0 - EPSILON)
    hit = op.Mul(y_true, op.Log(p))
    miss = op.Mul(op.Sub(1.0, y_true), op.Log(op.Sub(1.0, p)))
    return mean_of_last(op, op.Neg(op.Add(hit, miss)))


@TensorFunction
def categorical_crossentropy(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    *,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> ir.Value:
    """Emit -sum(y log p) over the last axis, each row of p scaled to the sum 1.

    Args:
        op: emitter of the graph.
        y_true: one row of class weights (one-hot, or soft labels) per sample.
        y_pred: probabilities, or logits with `from_logits`; shape `(batch, ..., classes)`.
        from_logits: whether `y_pred` has not been through a softmax.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / classes.

    Returns:
        Values of shape `y_pred.shape[:-1]`.
    """
    y_true = to_type_of(op, y_true, y_pred)
    if label_smoothing > 0:
        smooth = op.Mul(y_true, 1.0 - label_smoothing)
        y_true = op.Add(smooth, _share(op, label_smoothing, y_pred))
    logits = y_pred if from_logits else logits_behind(op, y_pred, "Softmax")
    if logits is not None:
        log_p = op.LogSoftmax(logits, axis=-1)
    else:
        p = op.Div(y_pred, op.ReduceSum(y_pred, [-1]))
        log_p = op.Log(op.Clip(p, EPSILON, 1.0 - EPSILON))
    return op.Neg(op.ReduceSum(op.Mul(y_true, log_p), [-1], keepdims=0))


@TensorFunction
def sparse_categorical_crossentropy(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    *,
    from_logits: bool = False,
    ignore_class: int | None = None,
) -> ir.Value:
    """Emit -log(p of the labelled class), each row of p scaled to the sum 1.

    Args:
        op: emitter of the graph.
        y_true: integer labels, shape `y_pred.shape[:-1]` or that with a last 1.
        y_pred: probabilities, or logits with `from_logits`; shape `(batch, ..., classes)`.
        from_logits: whether `y_pred` has not been through a softmax.
        ignore_class: label whose samples get the value 0.

    Returns:
        Values of shape `y_pred.shape[:-1]`.
    """
    labels = class_labels(op, y_true, y_pred)
    ignored = None
    if ignore_class is not None:
        ignored = op.Equal(labels, ignore_class)
        labels = op.Where(ignored, 0, labels)
    index = op.Unsqueeze(labels, [-1])
    last = len(static_shape(y_pred)) - 1
    logits = y_pred if from_logits else logits_behind(op, y_pred, "Softmax")
    if logits is not None:
        log_p = op.GatherElements(op.LogSoftmax(logits, axis=-1), index, axis=last)
    else:
        p = op.Div(op.GatherElements(y_pred, index, axis=last), op.ReduceSum(y_pred, [-1]))
        log_p = op.Log(op.Clip(p, EPSILON, 1.0 - EPSILON))
    values = op.Neg(op.Squeeze(log_p, [-1]))
    if ignored is not None:
        values = op.Mul(values, to_type_of(op, op.Not(ignored), values))
    return values


def class_labels(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Return labels as integers of shape `y_pred.shape[:-1]`.

    Args:
        op: emitter of the graph.
        y_true: labels of any numeric type, with or without a last dimension of size 1.
        y_pred: scores, classes last.
    """
    shape = static_shape(y_true)
    if len(shape) == len(static_shape(y_pred)) and shape[-1] == 1:
        y_true = op.Squeeze(y_true, [-1])
    if y_true.dtype not in _INDEX_TYPES:
        y_true = op.Cast(y_true, to=int(ir.DataType.INT64))
    return y_true


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


def _share(op: Emitter, whole: float, y_pred: ir.Value) -> float | ir.Value:
    """`whole` divided by the number of classes: a number where the graph knows it."""
    size = static_shape(y_pred)[-1]
    if isinstance(size, int):
        return whole / size
    return op.Div(whole, to_type_of(op, op.Shape(y_pred, start=-1), y_pred))
