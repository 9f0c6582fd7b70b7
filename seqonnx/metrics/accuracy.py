"""Accuracies: how often a prediction is right. Among equal scores the first class wins."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.metrics.mean import MeanMetric
from seqonnx.objectives import aligned, class_labels, match_ranks, to_type_of


def accuracy(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit 1 where `y_pred` equals `y_true`, else 0."""
    return to_type_of(op, op.Equal(*aligned(op, y_true, y_pred)), y_pred)


def binary_accuracy(
    op: Emitter, y_true: ir.Value, y_pred: ir.Value, *, threshold: float = 0.5
) -> ir.Value:
    """Emit 1 where `y_pred > threshold` agrees with the label 0 or 1, else 0."""
    y_true, y_pred = match_ranks(op, y_true, y_pred)
    positive = to_type_of(op, op.Greater(y_pred, threshold), y_true)
    return to_type_of(op, op.Equal(y_true, positive), y_pred)


def categorical_accuracy(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit 1 where the highest score is at the highest target of the last axis, else 0."""
    right = op.Equal(_arg_max(op, y_true), _arg_max(op, y_pred))
    return to_type_of(op, right, y_pred)


def sparse_categorical_accuracy(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit 1 where the highest score of the last axis is at the labelled class, else 0."""
    best = _arg_max(op, y_pred)
    labels = to_type_of(op, class_labels(op, y_true, y_pred), best)
    return to_type_of(op, op.Equal(labels, best), y_pred)


def top_k_categorical_accuracy(
    op: Emitter, y_true: ir.Value, y_pred: ir.Value, *, k: int = 5
) -> ir.Value:
    """Emit 1 where fewer than k scores are above that of the highest target, else 0."""
    return _among_best(op, _arg_max(op, y_true), y_pred, k)


def sparse_top_k_categorical_accuracy(
    op: Emitter, y_true: ir.Value, y_pred: ir.Value, *, k: int = 5
) -> ir.Value:
    """Emit 1 where fewer than k scores are above that of the labelled class, else 0."""
    return _among_best(op, class_labels(op, y_true, y_pred), y_pred, k)


class Accuracy(MeanMetric):
    """How often predictions equal targets.

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> Accuracy()([1, 2, 3, 4], [0, 2, 3, 4])
        0.75
    """

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit 1 or 0 for every element."""
        return accuracy(op, y_true, y_pred)


class BinaryAccuracy(MeanMetric):
    """How often a probability is on the right side of a threshold.

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.
        threshold: a prediction above it means 1.

    Example:
        >>> BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]])
        0.75
    """

    def __init__(
        self, name: str | None = None, dtype: str | None = None, threshold: float = 0.5
    ) -> None:
        super().__init__(name, dtype)
        self.threshold = float(threshold)

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit 1 or 0 for every element."""
        return binary_accuracy(op, y_true, y_pred, threshold=self.threshold)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"threshold": self.threshold}


class CategoricalAccuracy(MeanMetric):
    """How often the highest score is at the class of a one-hot target.

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
        0.5
    """

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit 1 or 0 for every row of classes."""
        return categorical_accuracy(op, y_true, y_pred)


class SparseCategoricalAccuracy(MeanMetric):
    """How often the highest score is at the class of an integer label.

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> SparseCategoricalAccuracy()([[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]])
        0.5
    """

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit 1 or 0 for every label."""
        return sparse_categorical_accuracy(op, y_true, y_pred)


class TopKCategoricalAccuracy(MeanMetric):
    """How often the class of a one-hot target is among the k highest scores.

    Args:
        k: how many of the highest scores count.
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.6, 0, 0.4]])
        0.5
    """

    def __init__(self, k: int = 5, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__("top_k_categorical_accuracy" if name is None else name, dtype)
        self.k = k

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit 1 or 0 for every row of classes."""
        return top_k_categorical_accuracy(op, y_true, y_pred, k=self.k)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"k": self.k}


class SparseTopKCategoricalAccuracy(MeanMetric):
    """How often the class of an integer label is among the k highest scores.

    Args:
        k: how many of the highest scores count.
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> SparseTopKCategoricalAccuracy(k=2)([2, 1], [[0.1, 0.9, 0.8], [0.6, 0, 0.4]])
        0.5
    """

    def __init__(self, k: int = 5, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__("sparse_top_k_categorical_accuracy" if name is None else name, dtype)
        self.k = k

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit 1 or 0 for every label."""
        return sparse_top_k_categorical_accuracy(op, y_true, y_pred, k=self.k)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"k": self.k}


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
