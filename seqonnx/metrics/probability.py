"""Metrics of distributions: cross-entropies, divergence, hinges."""

from __future__ import annotations

from seqonnx.catalogue import register
from seqonnx.metrics.mean import MeanMetric
from seqonnx.objectives.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from seqonnx.objectives.hinge import (
    categorical_hinge,
    hinge,
    squared_hinge,
)
from seqonnx.objectives.probability import (
    kl_divergence,
    poisson,
)


@register("metric", "binary_crossentropy", "bce", "BCE")
class BinaryCrossentropy(MeanMetric, formula=binary_crossentropy, rows=True):
    """Mean of -(y log p + (1 - y) log(1 - p)); alias `"bce"`.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.
        from_logits: whether `y_pred` has not been through a sigmoid.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / 2.

    Example:
        >>> round(float(BinaryCrossentropy()([[0], [1]], [[0.5], [0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = float(label_smoothing)


@register("metric", "categorical_crossentropy")
class CategoricalCrossentropy(MeanMetric, formula=categorical_crossentropy):
    """Mean of -sum(y log p) for one-hot (or soft) targets.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.
        from_logits: whether `y_pred` has not been through a softmax.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / classes.
        axis: the axis of the classes.

    Example:
        >>> round(float(CategoricalCrossentropy()([[0, 1]], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = float(label_smoothing)
        self.axis = axis


@register("metric", "sparse_categorical_crossentropy")
class SparseCategoricalCrossentropy(MeanMetric, formula=sparse_categorical_crossentropy):
    """Mean of -log(p of the labelled class) for integer labels.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.
        from_logits: whether `y_pred` has not been through a softmax.
        ignore_class: label whose samples have the value 0. As in Keras they count in the mean,
            unless there are sample weights: then they are left out.
        axis: the axis of the classes.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis


@register("metric", "kl_divergence")
class KLDivergence(MeanMetric, formula=kl_divergence):
    """Mean of sum(y_true log(y_true / y_pred)).

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
        0.0
    """

    def __init__(self, name: str | None = "kl_divergence", dtype: str | None = None) -> None:
        super().__init__(name, dtype)


@register("metric", "poisson")
class Poisson(MeanMetric, formula=poisson, rows=True):
    """Mean of y_pred - y_true log(y_pred).

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> round(float(Poisson()([[2.0]], [[1.0]])), 4)
        1.0
    """

    def __init__(self, name: str | None = "poisson", dtype: str | None = None) -> None:
        super().__init__(name, dtype)


@register("metric", "hinge")
class Hinge(MeanMetric, formula=hinge, rows=True):
    """Mean of max(1 - y_true y_pred, 0).

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> Hinge()([[1.0], [-1.0]], [[0.5], [-3.0]])
        0.25
    """

    def __init__(self, name: str | None = "hinge", dtype: str | None = None) -> None:
        super().__init__(name, dtype)


@register("metric", "squared_hinge")
class SquaredHinge(MeanMetric, formula=squared_hinge, rows=True):
    """Mean of max(1 - y_true y_pred, 0)^2.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> SquaredHinge()([[1.0], [-1.0]], [[0.5], [-3.0]])
        0.125
    """

    def __init__(self, name: str | None = "squared_hinge", dtype: str | None = None) -> None:
        super().__init__(name, dtype)


@register("metric", "categorical_hinge")
class CategoricalHinge(MeanMetric, formula=categorical_hinge):
    """Mean of max(neg - pos + 1, 0): the best wrong class against the right one.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]])
        0.5
    """

    def __init__(self, name: str | None = "categorical_hinge", dtype: str | None = None) -> None:
        super().__init__(name, dtype)
