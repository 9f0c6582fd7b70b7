"""A loss of texts in longer sequences, such as speech."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy.typing as npt

from seqonnx.catalogue import register
from seqonnx.losses.base import Loss
from seqonnx.losses.targets import TargetShape, check_texts
from seqonnx.objectives.ctc import ctc


@register("loss", "ctc")
class CTC(Loss, formula=ctc):
    """-log of the probability of a text, summed over all its places in a sequence.

    Targets are labels from 1, shape `(batch, letters)`; 0 fills short texts up. Predictions are
    logits, shape `(batch, time, classes)`; their class 0 says that there is no letter.

    Args:
        reduction: see `Loss`.
        name: name shown.
        dtype: see `Loss`; half precision is computed in float32.

    Example:
        >>> round(CTC()([[1]], [[[0.0, 0.0]]]), 4)
        0.6931
    """

    _target_dtype: ClassVar[str] = "int64"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "ctc",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def _check_targets(self, y_true: npt.NDArray[Any], y_pred_shape: TargetShape) -> None:
        """Raise a ValueError if targets do not fit (see `Loss._check_targets`)."""
        check_texts(y_true, y_pred_shape)
