"""Class weights: how much the samples of each class count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

ClassWeight = Mapping[int, float] | Sequence[float] | npt.NDArray[Any]


class ClassWeights:
    """Turns targets into sample weights.

    Args:
        class_weight: weight by class index, or a list or vector with the weight of each class
            from 0. A class without a weight counts 1.

    Raises:
        TypeError: if it is neither, or an index is not an integer.
        ValueError: if an index is negative.

    Example:
        >>> ClassWeights({1: 3.0}).of(np.array([0, 1, 1])).tolist()
        [1.0, 3.0, 3.0]
    """

    def __init__(self, class_weight: ClassWeight) -> None:
        weights = _by_index(class_weight)
        self._table = np.ones(max(weights, default=-1) + 1, np.float32)
        for index, weight in weights.items():
            self._table[index] = weight

    def of(self, targets: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return a weight for each target.

        Args:
            targets: class indices of shape `(n,)` or `(n, 1)`, or one-hot rows.

        Returns:
            float32 array, without the last axis of targets of more than one axis.
        """
        if targets.ndim > 1:
            targets = targets[..., 0] if targets.shape[-1] == 1 else np.argmax(targets, axis=-1)
        # NaN and infinity are no class: they count 1, and show in the loss instead.
        numbers = np.nan_to_num(targets.astype(np.float64), nan=-1.0, posinf=-1.0, neginf=-1.0)
        labels = np.rint(numbers).astype(np.int64)
        weights = np.ones(labels.shape, np.float32)
        known = (labels >= 0) & (labels < len(self._table))
        weights[known] = self._table[labels[known]]
        return weights


def _by_index(class_weight: ClassWeight) -> dict[int, float]:
    """The weights as a dict."""
    if isinstance(class_weight, Mapping):
        weights: dict[int, float] = {}
        for index, weight in class_weight.items():
            if isinstance(index, bool) or not isinstance(index, int | np.integer):
                raise TypeError(
                    "`class_weight` must map class indices (integers) to weights. "
                    f"Received the index {index!r} of type {type(index)}"
                )
            if index < 0:
                raise ValueError(f"A class index cannot be negative. Received: {index}")
            weights[int(index)] = float(weight)
        return weights
    if isinstance(class_weight, list | tuple | np.ndarray) and np.ndim(class_weight) == 1:
        return {index: float(weight) for index, weight in enumerate(class_weight)}
    raise TypeError(
        "`class_weight` must be a dict of weights by class index, or a list with the weight of "
        f"each class. Received: {class_weight!r} of type {type(class_weight)}"
    )
