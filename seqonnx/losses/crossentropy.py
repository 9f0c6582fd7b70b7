"""Losses of classes: cross-entropies, with probabilities or logits."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.losses.base import Loss
from seqonnx.losses.targets import TargetShape, check_labels, check_one_hot, check_same_shape
from seqonnx.objectives.crossentropy import (
    binary_crossentropy,
    categorical_crossentropy,
    class_labels,
    sparse_categorical_crossentropy,
)

_MEAN = "sum_over_batch_size"


class _SmoothedLoss(Loss):
    """A cross-entropy of probabilities or logits, with targets that may be smoothed."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = _MEAN,
        name: str | None = None,
    ) -> None:
        super().__init__(name, reduction)
        self.from_logits = bool(from_logits)
        self.label_smoothing = _smoothing(label_smoothing)


@register("loss", "binary_crossentropy", "bce", "BCE")
class BinaryCrossentropy(_SmoothedLoss, formula=binary_crossentropy):
    """-(y log p + (1 - y) log(1 - p)) for targets in [0, 1]; alias `"bce"`.

    If a Sigmoid of the model gives `y_pred`, the loss is computed from what went into it, which
    is exact where probabilities round to 0 or 1; other probabilities are clipped to
    [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether `y_pred` has not been through a sigmoid.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / 2.
        reduction: see `Loss`.
        name: name shown.

    Raises:
        ValueError: if `label_smoothing` is not in [0, 1].

    Example:
        >>> round(BinaryCrossentropy()([[1.0]], [[0.0]]), 3)
        16.118
    """

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_same_shape(y_true, y_pred_shape)


@register("loss", "categorical_crossentropy")
class CategoricalCrossentropy(_SmoothedLoss, formula=categorical_crossentropy):
    """-sum(y log p) for one-hot (or soft) targets; each row of p is scaled to the sum 1.

    If a Softmax of the model gives `y_pred`, the loss is computed from what went into it; other
    probabilities are clipped to [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether `y_pred` has not been through a softmax.
        label_smoothing: s in [0, 1]; targets become y (1 - s) + s / classes.
        reduction: see `Loss`.
        name: name shown.

    Raises:
        ValueError: if `label_smoothing` is not in [0, 1].

    Example:
        >>> round(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]), 4)
        0.6931
    """

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
        name: name shown.

    Example:
        >>> round(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]]), 4)
        0.6931
    """

    _target_dtype: ClassVar[str] = "int64"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = _MEAN,
        name: str | None = None,
    ) -> None:
        super().__init__(name, reduction)
        self.from_logits = bool(from_logits)
        self.ignore_class = ignore_class

    def _mask(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value | None:
        """Emit which labels are not `ignore_class`."""
        if self.ignore_class is None:
            return None
        labels = class_labels(op, y_true, y_pred)
        return op.Not(op.Equal(labels, self.ignore_class))

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_labels(y_true, y_pred_shape, self.ignore_class)


def _smoothing(value: float) -> float:
    """Check a label smoothing."""
    if not 0.0 <= value <= 1.0:
        raise ValueError(
            f"`label_smoothing` must be in the range [0, 1]. Received: label_smoothing={value}"
        )
    return float(value)
