"""Losses of classes: cross-entropies, with probabilities or logits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy.typing as npt

from seqonnx.catalogue import register
from seqonnx.losses.base import Loss
from seqonnx.losses.targets import TargetShape, check_labels, check_one_hot, check_same_shape
from seqonnx.objectives.align import Axes
from seqonnx.objectives.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)

_MEAN = "sum_over_batch_size"


class SmoothedLoss(Loss):
    """A cross-entropy of probabilities or logits, with targets that may be smoothed."""

    def __init__(
        self,
        from_logits: bool,
        label_smoothing: float,
        axis: Axes,
        reduction: str | None,
        name: str | None,
        dtype: Any,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = bool(from_logits)
        self.label_smoothing = _smoothing(label_smoothing)
        self.axis = axis


@register("loss", "binary_crossentropy", "bce", "BCE")
class BinaryCrossentropy(SmoothedLoss, formula=binary_crossentropy):
    """-(y log p + (1 - y) log(1 - p)) for targets in [0, 1]; alias `"bce"`.

    If a Sigmoid of the model gives `y_pred`, the loss is computed from what went into it, which
    is exact where probabilities round to 0 or 1; other probabilities are clipped to
    [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether `y_pred` has not been through a sigmoid.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / 2.
        axis: the axis, or axes, of the mean.
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Raises:
        ValueError: if `label_smoothing` is not in [0, 1].

    Example:
        >>> round(BinaryCrossentropy()([[1.0]], [[0.0]]), 3)
        16.118
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axes = -1,
        reduction: str | None = _MEAN,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_same_shape(y_true, y_pred_shape)


@register("loss", "categorical_crossentropy")
class CategoricalCrossentropy(SmoothedLoss, formula=categorical_crossentropy):
    """-sum(y log p) for one-hot (or soft) targets; each row of p is scaled to the sum 1.

    If a Softmax of the model gives `y_pred`, the loss is computed from what went into it; other
    probabilities are clipped to [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether `y_pred` has not been through a softmax.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / classes.
        axis: the axis of the classes.
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Raises:
        ValueError: if `label_smoothing` is not in [0, 1].

    Example:
        >>> round(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]), 4)
        0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_one_hot(y_true, y_pred_shape)


@register("loss", "sparse_categorical_crossentropy")
class SparseCategoricalCrossentropy(Loss, formula=sparse_categorical_crossentropy):
    """-log(p of the labelled class) for integer labels; each row of p is scaled to the sum 1.

    If a Softmax of the model gives `y_pred`, the loss is computed from what went into it; other
    probabilities are clipped to [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether `y_pred` has not been through a softmax.
        ignore_class: label whose samples do not count (the mean is over the others).
        reduction: see `Loss`.
        axis: the axis of the classes.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> round(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]]), 4)
        0.6931
    """

    _target_dtype: ClassVar[str] = "int64"
    _unsaid: ClassVar[Mapping[str, Any]] = MappingProxyType({"axis": -1})

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = _MEAN,
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = bool(from_logits)
        self.ignore_class = ignore_class
        self.axis = axis

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_labels(y_true, y_pred_shape, self.ignore_class, self.axis)


@register("loss", "categorical_generalized_cross_entropy")
class CategoricalGeneralizedCrossEntropy(Loss, formula=categorical_generalized_cross_entropy):
    """(1 - p^q) / q of the probability p of the labelled class, for labels some of which are wrong.

    Args:
        q: exponent in (0, 1): towards 0 the cross-entropy, at 1 the absolute error.
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Raises:
        ValueError: if `q` is not in (0, 1).

    Example:
        >>> CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]])
        1.0
    """

    _target_dtype: ClassVar[str] = "int64"

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = _MEAN,
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(f"q must be in the interval (0, 1). Received: q={q}")
        super().__init__(name, reduction, dtype)
        self.q = float(q)

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_labels(y_true, y_pred_shape)


def _smoothing(value: float) -> float:
    """Check a label smoothing."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(
            f"`label_smoothing` must be in the range [0, 1]. Received: label_smoothing={value}"
        )
    return float(value)
