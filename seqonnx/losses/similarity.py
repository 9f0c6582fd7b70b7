"""A loss of embeddings: those of one label shall be near each other, others far apart."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy.typing as npt

from seqonnx.catalogue import register
from seqonnx.losses.base import Loss
from seqonnx.losses.targets import TargetShape, check_one_per_sample
from seqonnx.objectives.similarity import circle


@register("loss", "circle")
class Circle(Loss, formula=circle):
    """The circle loss of the pairs in a batch, for integer labels and embeddings of length 1.

    Samples without a pair of one label, or without one of two labels, do not count.

    Args:
        gamma: factor of the exponents.
        margin: how near pairs of one label shall be, and how far others.
        remove_diagonal: whether no sample is compared with itself.
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`.

    Example:
        >>> embeddings = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
        >>> round(Circle(gamma=1.0)([0, 0, 1, 1], embeddings), 4)
        0.8416
    """

    _target_dtype: ClassVar[str] = "int64"

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.gamma = gamma
        self.margin = margin
        self.remove_diagonal = bool(remove_diagonal)

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_one_per_sample(y_true, y_pred_shape)
