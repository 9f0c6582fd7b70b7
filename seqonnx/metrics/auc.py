"""Area under the ROC or the precision-recall curve, from counts at many thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.graph.budget import claim
from seqonnx.metrics.base import Result, State, Values
from seqonnx.metrics.confusion import FN, FP, TN, TP, ConfusionMetric, ratio

_EPSILON: Final = 1e-7
_CURVES: Final = ("ROC", "PR")
_SUMMATIONS: Final = ("interpolation", "minoring", "majoring")


@register("metric", "auc")
class AUC(ConfusionMetric):
    """Area under a curve of decisions, approximated at `num_thresholds` thresholds.

    Scores are compared with every threshold: a batch of N scores takes N x `num_thresholds`
    numbers of memory.

    Args:
        num_thresholds: how many thresholds, spread evenly over [0, 1].
        curve: `"ROC"` (recall over false positive rate) or `"PR"` (precision over recall).
        summation_method: `"interpolation"` (trapezoids; for PR the interpolation of Davis &
            Goadrich, "The relationship between precision-recall and ROC curves", 2006),
            `"minoring"` or `"majoring"` (rectangles below or above the curve).
        name: name shown and logged; default `"auc"`, numbered.
        dtype: dtype of the accumulators; default float32.
        thresholds: thresholds in (0, 1) in place of the even ones.
        from_logits: whether `y_pred` has not been through a sigmoid.

    Raises:
        ValueError: for an unknown curve or summation, or fewer than 2 thresholds.

    Example:
        >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
        0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        if curve not in _CURVES:
            raise ValueError(f"Invalid `curve`: {curve}. Expected one of {', '.join(_CURVES)}.")
        if summation_method not in _SUMMATIONS:
            raise ValueError(
                f"Invalid `summation_method`: {summation_method}. "
                f"Expected one of {', '.join(_SUMMATIONS)}."
            )
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 1. "
                f"Received: num_thresholds={num_thresholds}"
            )
        if thresholds is None:
            claim((num_thresholds,), "float64", f"{name or 'auc'}/thresholds")
        inner = np.linspace(0, 1, num_thresholds)[1:-1] if thresholds is None else thresholds
        super().__init__((TP, FP, TN, FN), sorted(float(t) for t in inner), None, None, name, dtype)
        self.thresholds = (-_EPSILON, *self.thresholds, 1.0 + _EPSILON)
        self.num_thresholds = len(self.thresholds)
        self.curve = curve
        self.summation_method = summation_method
        self.from_logits = from_logits
        self.init_thresholds = None if thresholds is None else list(self.thresholds[1:-1])

    def _update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> dict[str, ir.Value]:
        """Emit the counts after a batch."""
        if self.from_logits:
            y_pred = op.Sigmoid(y_pred)
        return super()._update(op, state, y_true, y_pred, sample_weight)

    def _compute(self, state: State) -> Result:
        """Return the area."""
        tp, fp, tn, fn = (np.asarray(state[name], np.float64) for name in (TP, FP, TN, FN))
        recall = ratio(tp, tp + fn)
        if self.curve == "ROC":
            return self._area(ratio(fp, fp + tn), recall)
        if self.summation_method == "interpolation":
            return _interpolated(tp, fp, fn)
        return self._area(recall, ratio(tp, tp + fp))

    def _area(self, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> float:
        """Area under the curve y(x), whose points come from right to left."""
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2.0,
            "minoring": np.minimum(y[:-1], y[1:]),
            "majoring": np.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        return float(np.sum((x[:-1] - x[1:]) * heights))


def _interpolated(tp: npt.NDArray[Any], fp: npt.NDArray[Any], fn: npt.NDArray[Any]) -> float:
    """Area under precision-recall if true and false positives grow linearly between thresholds.

    With precision (a + s p) / p over p predicted positives, the integral over an interval is
    s (dtp + a log(p_left / p_right)) divided by the number of positives.
    """
    predicted = tp + fp
    gained = tp[:-1] - tp[1:]
    slope = ratio(gained, predicted[:-1] - predicted[1:])
    offset = tp[1:] - slope * predicted[1:]
    both = (predicted[:-1] > 0) & (predicted[1:] > 0)
    quotient = np.where(both, ratio(predicted[:-1], predicted[1:]), 1.0)
    return float(np.sum(ratio(slope * (gained + offset * np.log(quotient)), tp[1:] + fn[1:])))
