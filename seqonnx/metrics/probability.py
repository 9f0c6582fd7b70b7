"""Metrics of distributions: cross-entropies, divergence, hinges."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from seqonnx import objectives
from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.metrics.mean import MeanMetric


@register("metric", "binary_crossentropy", "bce", "BCE")
class BinaryCrossentropy(MeanMetric):
    """Mean of -(y log p + (1 - y) log(1 - p)); alias `"bce"`.

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.
        from_logits: whether `y_pred` has not been through a sigmoid.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / 2.

    Example:
        >>> round(float(BinaryCrossentropy()([[0], [1]], [[0.5], [0.5]])), 4)
        0.6931
    """

    _averages_elements = True

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.binary_crossentropy(
            op,
            y_true,
            y_pred,
            from_logits=self.from_logits,
            label_smoothing=self.label_smoothing,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
        }


@register("metric", "categorical_crossentropy")
class CategoricalCrossentropy(MeanMetric):
    """Mean of -sum(y log p) for one-hot (or soft) targets.

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.
        from_logits: whether `y_pred` has not been through a softmax.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / classes.

    Example:
        >>> round(float(CategoricalCrossentropy()([[0, 1]], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit one value per row of classes."""
        return objectives.categorical_crossentropy(
            op,
            y_true,
            y_pred,
            from_logits=self.from_logits,
            label_smoothing=self.label_smoothing,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
        }


@register("metric", "sparse_categorical_crossentropy")
class SparseCategoricalCrossentropy(MeanMetric):
    """Mean of -log(p of the labelled class) for integer labels.

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.
        from_logits: whether `y_pred` has not been through a softmax.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = from_logits

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit one value per label."""
        return objectives.sparse_categorical_crossentropy(
            op, y_true, y_pred, from_logits=self.from_logits
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"from_logits": self.from_logits}


@register("metric", "kl_divergence")
class KLDivergence(MeanMetric):
    """Mean of sum(y_true log(y_true / y_pred)).

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
        0.0
    """

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the sum over the last axis."""
        return objectives.kl_divergence(op, y_true, y_pred)


@register("metric", "poisson")
class Poisson(MeanMetric):
    """Mean of y_pred - y_true log(y_pred).

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> round(float(Poisson()([[2.0]], [[1.0]])), 4)
        1.0
    """

    _averages_elements = True

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.poisson(op, y_true, y_pred)


@register("metric", "hinge")
class Hinge(MeanMetric):
    """Mean of max(1 - y_true y_pred, 0).

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> Hinge()([[1.0], [-1.0]], [[0.5], [-3.0]])
        0.25
    """

    _averages_elements = True

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.hinge(op, y_true, y_pred)


@register("metric", "squared_hinge")
class SquaredHinge(MeanMetric):
    """Mean of max(1 - y_true y_pred, 0)^2.

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> SquaredHinge()([[1.0], [-1.0]], [[0.5], [-3.0]])
        0.125
    """

    _averages_elements = True

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the mean over the last axis."""
        return objectives.squared_hinge(op, y_true, y_pred)


@register("metric", "categorical_hinge")
class CategoricalHinge(MeanMetric):
    """Mean of max(neg - pos + 1, 0): the best wrong class against the right one.

    Args:
        name: name shown and logged.
        dtype: element type of the accumulators.

    Example:
        >>> CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]])
        0.5
    """

    def values(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit one value per row of classes."""
        return objectives.categorical_hinge(op, y_true, y_pred)
