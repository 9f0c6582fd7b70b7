"""Area under a curve of decisions, from counts at many thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.defaults import epsilon
from seqonnx.graph import Emitter
from seqonnx.graph.budget import claim
from seqonnx.metrics.base import Held, Result, State, TargetShape, Values
from seqonnx.metrics.confusion import FN, FP, TN, TP, ConfusionMetric, count_decisions, ratio

_CURVES: Final = ("ROC", "PR", "PRGAIN")
_SUMMATIONS: Final = ("interpolation", "minoring", "majoring")


@register("metric", "auc")
class AUC(ConfusionMetric):
    """Area under a curve of decisions, approximated at `num_thresholds` thresholds.

    Scores are compared with every threshold: a batch of N scores takes N x `num_thresholds`
    numbers of memory.

    Args:
        num_thresholds: how many thresholds, spread evenly over [0, 1].
        curve: `"ROC"` (recall over false positive rate), `"PR"` (precision over recall) or
            `"PRGAIN"` (precision gain over recall gain: Flach & Kull, "Precision-recall-gain
            curves: PR analysis done right", 2015).
        summation_method: `"interpolation"` (trapezoids; for PR the interpolation of Davis &
            Goadrich, "The relationship between precision-recall and ROC curves", 2006),
            `"minoring"` or `"majoring"` (rectangles below or above the curve).
        name: name shown and logged; default `"auc"`, numbered.
        dtype: dtype of the accumulators; default float32.
        thresholds: thresholds in (0, 1) in place of the even ones.
        multi_label: whether each column of the scores has an area of its own, of which the mean is
            the result; else all scores are counted together.
        num_labels: number of columns, with `multi_label`; default: that of the first batch.
        label_weights: weights of the columns: in the mean of their areas with `multi_label`, else
            of their scores.
        from_logits: whether `y_pred` has not been through a sigmoid.

    Raises:
        ValueError: for an unknown curve or summation, fewer than 2 thresholds, or `num_labels`
            without `multi_label`.

    Example:
        >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
        0.75
    """

    true_positives, false_positives = Held(), Held()
    true_negatives, false_negatives = Held(), Held()

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: npt.ArrayLike | None = None,
        from_logits: bool = False,
    ) -> None:
        self.curve = _one_of("curve", curve, _CURVES)
        self.summation_method = _one_of("summation_method", summation_method, _SUMMATIONS)
        if num_labels is not None and not multi_label:
            raise ValueError("`num_labels` is needed only when `multi_label` is True.")
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 1. "
                f"Received: num_thresholds={num_thresholds}"
            )
        if thresholds is None:
            claim((num_thresholds,), "float64", f"{name or 'auc'}/thresholds")
        inner = np.linspace(0, 1, num_thresholds)[1:-1] if thresholds is None else thresholds
        super().__init__((TP, FP, TN, FN), sorted(float(t) for t in inner), None, None, name, dtype)
        self.thresholds = [-epsilon(), *self.thresholds, 1.0 + epsilon()]
        self.num_thresholds = len(self.thresholds)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = (
            None if label_weights is None else np.asarray(label_weights, self.dtype)
        )
        self.from_logits = from_logits
        self._columns = num_labels or 1
        self.init_thresholds = None if thresholds is None else list(self.thresholds[1:-1])

    def _build(self, y_true_shape: TargetShape, y_pred_shape: TargetShape) -> None:
        """Learn the number of columns."""
        if not self.multi_label:
            return
        labels = y_pred_shape[-1]
        if len(y_pred_shape) != 2 or labels is None:
            raise ValueError(
                "`y_pred` must have rank 2 when `multi_label=True`. Found rank "
                f"{len(y_pred_shape)}. Full shape received for `y_pred`: {tuple(y_pred_shape)}"
            )
        if self.num_labels is not None and labels != self.num_labels:
            raise ValueError(
                f"AUC(num_labels={self.num_labels}) takes as many columns. Received: "
                f"y_pred.shape={tuple(y_pred_shape)}"
            )
        self._columns = labels

    def _own_start(self) -> dict[str, npt.NDArray[Any]]:
        """Return the counts, one per threshold (and column), all 0."""
        columns = (self._columns,) if self.multi_label else ()
        return self._zeros(*self._kept, shape=(len(self.thresholds), *columns))

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

    def _count(
        self, op: Emitter, y_true: ir.Value, y_pred: ir.Value, sample_weight: ir.Value | None
    ) -> dict[str, ir.Value]:
        """Emit the counts of a batch by name."""
        by_column = self.multi_label
        weights = [sample_weight]
        if self.label_weights is not None and not by_column:
            weights.append(op.constant(self.label_weights[None], "label_weights"))
        given = (y_true, y_pred, self.thresholds, weights, self._kept)
        return count_decisions(op, *given, by_column=by_column)

    def _compute(self, state: State) -> Result:
        """Return the area."""
        tp, fp, tn, fn = (np.asarray(state[name], np.float64) for name in (TP, FP, TN, FN))
        recall = ratio(tp, tp + fn)
        if self.curve == "ROC":
            return self._mean(self._area(ratio(fp, fp + tn), recall))
        if self.curve == "PRGAIN":
            return self._mean(self._area(*_gains(tp, fp, tn, fn)))
        if self.summation_method == "interpolation":
            return self._mean(_interpolated(tp, fp, fn))
        return self._mean(self._area(recall, ratio(tp, tp + fp)))

    def _mean(self, areas: npt.NDArray[Any]) -> float:
        """The area, or the weighted mean of those of the columns."""
        if not self.multi_label or self.label_weights is None:
            return float(np.mean(areas))
        weights = self.label_weights.astype(np.float64)
        return float(ratio(np.array(areas @ weights), np.array(weights.sum())))

    def _area(self, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Area under the curve y(x), whose points come from right to left."""
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2.0,
            "minoring": np.minimum(y[:-1], y[1:]),
            "majoring": np.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        area: npt.NDArray[Any] = np.sum((x[:-1] - x[1:]) * heights, axis=0)
        return area


def _gains(
    tp: npt.NDArray[Any], fp: npt.NDArray[Any], tn: npt.NDArray[Any], fn: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Recall gain and precision gain; 0 and 1 where nothing is found."""
    odds = ratio(tp + fn, tn + fp)
    recall = np.where(tp == 0, 0.0, 1.0 - odds * ratio(fn, tp))
    precision = np.where(tp == 0, 1.0, 1.0 - odds * ratio(fp, tp))
    return np.maximum(recall, 0.0), precision


def _one_of(argument: str, given: str, known: Sequence[str]) -> str:
    """An argument, in any case, as it is known."""
    found = [name for name in known if name.lower() == str(given).lower()]
    if len(found) == 0:
        raise ValueError(f"Invalid `{argument}`: {given}. Expected one of {', '.join(known)}.")
    return found[0]


def _interpolated(
    tp: npt.NDArray[Any], fp: npt.NDArray[Any], fn: npt.NDArray[Any]
) -> npt.NDArray[Any]:
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
    gain = slope * (gained + offset * np.log(quotient))
    area: npt.NDArray[Any] = np.sum(ratio(gain, tp[1:] + fn[1:]), axis=0)
    return area
