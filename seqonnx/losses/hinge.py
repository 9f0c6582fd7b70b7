"""Losses of margins, for targets -1 and 1 (a batch of only 0 and 1 is converted)."""

from __future__ import annotations

from typing import Any

from seqonnx.catalogue import register
from seqonnx.losses.regression import Elementwise
from seqonnx.objectives.hinge import (
    categorical_hinge,
    hinge,
    squared_hinge,
)

_MEAN = "sum_over_batch_size"


@register("loss", "hinge")
class Hinge(Elementwise, formula=hinge):
    """Mean of max(1 - y_true y_pred, 0).

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> Hinge()([[1.0], [-1.0]], [[0.5], [-3.0]])
        0.25
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "hinge", dtype: Any = None
    ) -> None:
        super().__init__(reduction, name, dtype)


@register("loss", "squared_hinge")
class SquaredHinge(Elementwise, formula=squared_hinge):
    """Mean of max(1 - y_true y_pred, 0)^2.

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> SquaredHinge()([[1.0], [-1.0]], [[0.5], [-3.0]])
        0.125
    """

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "squared_hinge", dtype: Any = None
    ) -> None:
        super().__init__(reduction, name, dtype)


@register("loss", "categorical_hinge")
class CategoricalHinge(Elementwise, formula=categorical_hinge):
    """max(neg - pos + 1, 0): score of the best wrong class against that of the right one.

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]])
        0.5
    """

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "categorical_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
