"""Metrics at an operating point: the best one of two shares where the other is good enough."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from seqonnx.catalogue import register
from seqonnx.graph.budget import claim
from seqonnx.metrics.base import Held, Result, State
from seqonnx.metrics.confusion import FN, FP, TN, TP, ConfusionMetric, ratio

_SHARES: Final = {
    "precision": (TP, FP),
    "recall": (TP, FN),
    "sensitivity": (TP, FN),
    "specificity": (TN, FP),
}
"""The counts of each share: the first as a part of both."""


class _OperatingPoint(ConfusionMetric):
    """The highest value of one share over all thresholds where another is at least a number."""

    true_positives, false_positives = Held(), Held()
    true_negatives, false_negatives = Held(), Held()
    _wanted = ""
    """The share that is reported."""
    _bounded = ""
    """The share that must be good enough; also the name of the argument."""

    def __init__(
        self,
        value: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: str | None,
    ) -> None:
        if not 0 <= value <= 1:
            raise ValueError(
                f"Argument `{self._bounded}` must be in the range [0, 1]. "
                f"Received: {self._bounded}={value}"
            )
        if num_thresholds <= 0:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 0. "
                f"Received: num_thresholds={num_thresholds}"
            )
        claim((num_thresholds,), "float64", f"{name or self._wanted}/thresholds")
        levels = [0.5] if num_thresholds == 1 else np.linspace(0, 1, num_thresholds).tolist()
        super().__init__((TP, FP, TN, FN), levels, None, class_id, name, dtype)
        self.value = float(value)
        self.num_thresholds = num_thresholds

    def _compute(self, state: State) -> Result:
        """Return the highest value; 0 where no threshold is good enough."""
        bounded, wanted = (self._share(state, name) for name in (self._bounded, self._wanted))
        # In float32: a share that is the number itself, rounded, must be good enough.
        enough = bounded.astype(np.float32) >= np.float32(self.value)
        return float(np.max(np.where(enough, wanted, 0.0), initial=0.0))

    def _share(self, state: State, name: str) -> npt.NDArray[Any]:
        part, rest = (np.asarray(state[key], np.float64) for key in _SHARES[name])
        return ratio(part, part + rest)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["thresholds"]
        return config


@register("metric", "sensitivity_at_specificity")
class SensitivityAtSpecificity(_OperatingPoint):
    """The best sensitivity tp / (tp + fn) where the specificity tn / (tn + fp) is high enough.

    Args:
        specificity: the least specificity, in [0, 1].
        num_thresholds: how many thresholds are tried, spread evenly over [0, 1].
        class_id: look only at this class of the last axis.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Raises:
        ValueError: if the specificity or the number of thresholds is out of range.

    Example:
        >>> SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
        0.5
    """

    _wanted, _bounded = "sensitivity", "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = self.value


@register("metric", "specificity_at_sensitivity")
class SpecificityAtSensitivity(_OperatingPoint):
    """The best specificity tn / (tn + fp) where the sensitivity tp / (tp + fn) is high enough.

    Args:
        sensitivity: the least sensitivity, in [0, 1].
        num_thresholds: see `SensitivityAtSpecificity`.
        class_id: see `SensitivityAtSpecificity`.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Raises:
        ValueError: if the sensitivity or the number of thresholds is out of range.

    Example:
        >>> round(SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]), 4)
        0.6667
    """

    _wanted, _bounded = "specificity", "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = self.value


@register("metric", "precision_at_recall")
class PrecisionAtRecall(_OperatingPoint):
    """The best precision tp / (tp + fp) where the recall tp / (tp + fn) is high enough.

    Args:
        recall: the least recall, in [0, 1].
        num_thresholds: see `SensitivityAtSpecificity`.
        class_id: see `SensitivityAtSpecificity`.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Raises:
        ValueError: if the recall or the number of thresholds is out of range.

    Example:
        >>> PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
        0.5
    """

    _wanted, _bounded = "precision", "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = self.value


@register("metric", "recall_at_precision")
class RecallAtPrecision(_OperatingPoint):
    """The best recall tp / (tp + fn) where the precision tp / (tp + fp) is high enough.

    Args:
        precision: the least precision, in [0, 1].
        num_thresholds: see `SensitivityAtSpecificity`.
        class_id: see `SensitivityAtSpecificity`.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Raises:
        ValueError: if the precision or the number of thresholds is out of range.

    Example:
        >>> RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
        0.5
    """

    _wanted, _bounded = "recall", "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = self.value
