"""Losses of regions: how little of what is predicted and of what is right is the same."""

from __future__ import annotations

from typing import Any

from seqonnx.catalogue import register
from seqonnx.losses.regression import Elementwise
from seqonnx.objectives.align import Axes
from seqonnx.objectives.overlap import dice, tversky

_MEAN = "sum_over_batch_size"


@register("loss", "dice")
class Dice(Elementwise, formula=dice):
    """1 - 2 sum(y p) / (sum(y) + sum(p)): 0 where regions are the same, 1 where they are apart.

    Args:
        reduction: see `Loss`.
        name: name shown.
        axis: the axis, or axes, of the sums; None: all of the batch.
        dtype: see `Loss`.

    Example:
        >>> Dice()([[1.0, 1.0]], [[1.0, 1.0]])
        0.0
    """

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "dice",
        axis: Axes = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = axis


@register("loss", "tversky")
class Tversky(Elementwise, formula=tversky):
    """1 - t / (t + alpha m + beta f): what is found against what is missed and what is added.

    t = sum(y p), m = sum(y (1 - p)), f = sum((1 - y) p). With alpha = beta = 0.5 it is `Dice`.

    Args:
        alpha: weight of what is missed.
        beta: weight of what is added.
        reduction: see `Loss`.
        name: name shown.
        axis: the axis, or axes, of the sums; None: all of the batch.
        dtype: see `Loss`.

    Example:
        >>> Tversky()([[1.0, 1.0]], [[1.0, 1.0]])
        0.0
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = _MEAN,
        name: str | None = "tversky",
        axis: Axes = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.alpha = alpha
        self.beta = beta
        self.axis = axis
