"""Focal losses: cross-entropies in which what is predicted well counts less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from seqonnx.catalogue import register
from seqonnx.losses.crossentropy import SmoothedLoss
from seqonnx.losses.targets import TargetShape, check_one_hot, check_same_shape
from seqonnx.objectives.align import Axes
from seqonnx.objectives.focal import binary_focal_crossentropy, categorical_focal_crossentropy

_MEAN = "sum_over_batch_size"


@register("loss", "binary_focal_crossentropy")
class BinaryFocalCrossentropy(SmoothedLoss, formula=binary_focal_crossentropy):
    """(1 - h)^gamma times the binary cross-entropy, h the probability of what is right.

    Args:
        apply_class_balancing: whether values are multiplied by alpha where the target is 1 and
            by 1 - alpha where it is 0.
        alpha: weight of the class 1.
        gamma: exponent of the factor; 0 is the cross-entropy.
        from_logits: whether `y_pred` has not been through a sigmoid.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / 2.
        axis: the axis, or axes, of the mean.
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Raises:
        ValueError: if `label_smoothing` is not in [0, 1].

    Example:
        >>> round(BinaryFocalCrossentropy()([[1.0]], [[0.5]]), 4)
        0.1733
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axes = -1,
        reduction: str | None = _MEAN,
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.apply_class_balancing = bool(apply_class_balancing)
        self.alpha = alpha
        self.gamma = gamma

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_same_shape(y_true, y_pred_shape)


@register("loss", "categorical_focal_crossentropy")
class CategoricalFocalCrossentropy(SmoothedLoss, formula=categorical_focal_crossentropy):
    """-sum(alpha (1 - p)^gamma y log p) for one-hot (or soft) targets y.

    Args:
        alpha: weight of all classes, or one for each along the last axis.
        gamma: exponent of the factor; 0 is the cross-entropy.
        from_logits: whether `y_pred` has not been through a softmax.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / classes.
        axis: the axis of the classes.
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Raises:
        ValueError: if `label_smoothing` is not in [0, 1].

    Example:
        >>> round(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]), 4)
        0.0433
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name, dtype)
        self.alpha = alpha
        self.gamma = gamma

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_one_hot(y_true, y_pred_shape)
