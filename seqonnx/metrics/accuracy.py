"""Accuracies: how often a prediction is right. Among equal scores the first class wins."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, static_shape
from seqonnx.metrics.mean import MeanMetric
from seqonnx.metrics.metric_function import metric_function
from seqonnx.objectives import aligned, class_labels, match_ranks, to_type_of


def accuracy(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit 1 where `y_pred` equals `y_true`, else 0."""
    return to_type_of(op, op.Equal(*aligned(op, y_true, y_pred)), y_pred)


@metric_function
def binary_accuracy(
    op: Emitter, y_true: ir.Value, y_pred: ir.Value, threshold: float = 0.5
) -> ir.Value:
    """Emit 1 where `y_pred > threshold` agrees with the label 0 or 1, else 0."""
    y_pred = _scores(op, y_pred)
    y_true, y_pred = match_ranks(op, y_true, y_pred)
    positive = to_type_of(op, op.Greater(y_pred, threshold), y_true)
    return to_type_of(op, op.Equal(y_true, positive), y_pred)


@metric_function
def categorical_accuracy(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit 1 where the highest score is at the highest target of the last axis, else 0."""
    right = op.Equal(_arg_max(op, y_true), _arg_max(op, y_pred))
    return to_type_of(op, right, _scores(op, y_pred))


@metric_function
def sparse_categorical_accuracy(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit 1 where the highest score of the last axis is at the labelled class, else 0."""
    best = _arg_max(op, y_pred)
    labels = to_type_of(op, class_labels(op, y_true, y_pred), best)
    return to_type_of(op, op.Equal(labels, best), _scores(op, y_pred))


@metric_function
def top_k_categorical_accuracy(
    op: Emitter, y_true: ir.Value, y_pred: ir.Value, k: int = 5
) -> ir.Value:
    """Emit 1 where fewer than k scores are above that of the highest target, else 0."""
    y_pred = _scores(op, y_pred)
    return _among_best(op, _arg_max(op, y_true), y_pred, k)


@metric_function
def sparse_top_k_categorical_accuracy(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    k: int = 5,
    from_sorted_ids: bool = False,
) -> ir.Value:
    """Emit 1 where fewer than k scores are above that of the labelled class, else 0.

    Args:
        op: emitter of the graph.
        y_true: labels, shape `y_pred.shape[:-1]` or that with a last 1.
        y_pred: scores of the classes, shape `(batch, ..., classes)`.
        k: how many of the highest scores count.
        from_sorted_ids: whether `y_pred` holds classes, the best first, in place of scores.
    """
    y_pred = _scores(op, y_pred)
    if from_sorted_ids:
        labels = op.Unsqueeze(to_type_of(op, class_labels(op, y_true, y_pred), y_pred), [-1])
        same = op.Equal(labels, op.Slice(y_pred, [0], [k], [-1]))
        return op.ReduceMax(to_type_of(op, same, y_pred), [-1], keepdims=0)
    return _among_best(op, class_labels(op, y_true, y_pred), y_pred, k)


@register("metric", "accuracy")
class Accuracy(MeanMetric, formula=accuracy):
    """How often predictions equal targets.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> Accuracy()([1, 2, 3, 4], [0, 2, 3, 4])
        0.75
    """

    def __init__(self, name: str | None = "accuracy", dtype: str | None = None) -> None:
        super().__init__(name, dtype)


@register("metric", "binary_accuracy")
class BinaryAccuracy(MeanMetric, formula=binary_accuracy):
    """How often a probability is on the right side of a threshold.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.
        threshold: a prediction above it means 1.

    Example:
        >>> BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]])
        0.75
    """

    def __init__(
        self,
        name: str | None = "binary_accuracy",
        dtype: str | None = None,
        threshold: float = 0.5,
    ) -> None:
        super().__init__(name, dtype)
        self.threshold = float(threshold)


@register("metric", "categorical_accuracy")
class CategoricalAccuracy(MeanMetric, formula=categorical_accuracy):
    """How often the highest score is at the class of a one-hot target.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
        0.5
    """

    def __init__(self, name: str | None = "categorical_accuracy", dtype: str | None = None) -> None:
        super().__init__(name, dtype)


@register("metric", "sparse_categorical_accuracy")
class SparseCategoricalAccuracy(MeanMetric, formula=sparse_categorical_accuracy):
    """How often the highest score is at the class of an integer label.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> SparseCategoricalAccuracy()([[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]])
        0.5
    """

    def __init__(
        self, name: str | None = "sparse_categorical_accuracy", dtype: str | None = None
    ) -> None:
        super().__init__(name, dtype)


@register("metric", "top_k_categorical_accuracy")
class TopKCategoricalAccuracy(MeanMetric, formula=top_k_categorical_accuracy):
    """How often the class of a one-hot target is among the k highest scores.

    Args:
        k: how many of the highest scores count.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.6, 0, 0.4]])
        0.5
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "top_k_categorical_accuracy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.k = k


@register("metric", "sparse_top_k_categorical_accuracy")
class SparseTopKCategoricalAccuracy(MeanMetric, formula=sparse_top_k_categorical_accuracy):
    """How often the class of an integer label is among the k highest scores.

    Args:
        k: how many of the highest scores count.
        name: name shown and logged.
        dtype: dtype of the accumulators.
        from_sorted_ids: whether predictions are classes in the order of their scores, the best
            first.

    Example:
        >>> SparseTopKCategoricalAccuracy(k=2)([2, 1], [[0.1, 0.9, 0.8], [0.6, 0, 0.4]])
        0.5
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: str | None = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(name, dtype)
        self.k = k
        self.from_sorted_ids = from_sorted_ids

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; `from_sorted_ids` where it is True, as in Keras."""
        config = super().get_config()
        if not self.from_sorted_ids:
            del config["from_sorted_ids"]
        return config


def _scores(op: Emitter, y_pred: ir.Value) -> ir.Value:
    """Predictions as floating-point numbers."""
    if y_pred.dtype is not None and y_pred.dtype.is_floating_point():
        return y_pred
    return op.Cast(y_pred, to=int(ir.DataType.FLOAT))


def _arg_max(op: Emitter, scores: ir.Value) -> ir.Value:
    """Position of the first maximum along the last axis."""
    if scores.dtype == ir.DataType.BOOL:
        scores = op.Cast(scores, to=int(ir.DataType.FLOAT))
    return op.ArgMax(scores, axis=-1, keepdims=0)


def _among_best(op: Emitter, labels: ir.Value, y_pred: ir.Value, k: int) -> ir.Value:
    """1 where fewer than k scores are above that of the labelled class."""
    last = len(static_shape(y_pred)) - 1
    score = op.GatherElements(y_pred, op.Unsqueeze(labels, [-1]), axis=last)
    above = to_type_of(op, op.Greater(y_pred, score), y_pred)
    better = op.ReduceSum(above, [-1], keepdims=0)
    return to_type_of(op, op.Less(better, float(k)), y_pred)
