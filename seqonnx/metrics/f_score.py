"""F scores: the harmonic mean of precision and recall, per class or over all."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, static_shape
from seqonnx.metrics.base import Held, Result, State, TargetShape, Values
from seqonnx.metrics.confusion import FN, FP, TP, ratio
from seqonnx.metrics.metric import Metric
from seqonnx.objectives import refuse_misfit, spread_weights, to_type_of, without_leading_ones

_POSITIVES: Final = "intermediate_weights"
_AVERAGES: Final = (None, "micro", "macro", "weighted")


@register("metric", "f_beta_score")
class FBetaScore(Metric):
    """(1 + b^2) precision recall / (b^2 precision + recall) of each class.

    Args:
        average: None (an array, one per class), `"micro"` (all classes counted together),
            `"macro"` (mean over classes) or `"weighted"` (by the number of positives).
        beta: b, how much more recall counts than precision.
        threshold: a score above it predicts the class; default: the highest score does.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Raises:
        ValueError: for an unknown average, or a beta or threshold out of range.

    Example:
        >>> FBetaScore(average="micro", beta=2.0)([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]])
        1.0
    """

    true_positives, false_positives, false_negatives = Held(), Held(), Held()
    intermediate_weights = Held()

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in _AVERAGES:
            raise ValueError(
                f"Invalid `average` argument value. Expected one of: {_AVERAGES}. "
                f"Received: average={average}"
            )
        if beta <= 0.0:
            raise ValueError(f"Invalid `beta` argument value. It should be > 0. Received: {beta}")
        if threshold is not None and not 0.0 < threshold <= 1.0:
            raise ValueError(
                "Invalid `threshold` argument value. It should verify 0 < threshold <= 1. "
                f"Received: threshold={threshold}"
            )
        self.average = average
        self.beta = float(beta)
        self.threshold = threshold
        self._classes: int | None = None

    def _build(self, y_true_shape: TargetShape, y_pred_shape: TargetShape) -> None:
        """Learn the number of classes."""
        if len(y_pred_shape) != 2 or len(y_true_shape) != 2 or y_pred_shape[-1] is None:
            raise ValueError(
                f"{type(self).__name__} expects y_true and y_pred of shape (batch, classes). "
                f"Received: y_true.shape={tuple(y_true_shape)}, y_pred.shape={tuple(y_pred_shape)}"
            )
        self._classes = y_pred_shape[-1]

    def _own_start(self) -> dict[str, npt.NDArray[Any]]:
        """Return the counts of each class, or of all together, all 0."""
        shape = () if self.average == "micro" else (self._classes or 1,)
        return self._zeros(TP, FP, FN, _POSITIVES, shape=shape)

    def _update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> dict[str, ir.Value]:
        """Emit the counts after a batch."""
        if self.threshold is None:
            best = op.Equal(y_pred, op.ReduceMax(y_pred, [-1]))
            # A row of zeros predicts nothing.
            chosen = op.And(best, op.Greater(op.Abs(y_pred), 1e-9))
        else:
            chosen = op.Greater(y_pred, self.threshold)
        predicted = to_type_of(op, chosen, y_pred)
        y_true = to_type_of(op, y_true, y_pred)
        hit = op.Mul(predicted, y_true)
        missed = op.Sub(y_true, hit)
        counts = {TP: hit, FP: op.Sub(predicted, hit), FN: missed, _POSITIVES: y_true}
        if sample_weight is not None:
            weight = to_type_of(op, sample_weight, y_pred)
            if len(static_shape(weight)) == 1:
                refuse_misfit(weight, y_pred)
                weight = op.Reshape(weight, [-1, 1])
            else:
                weight = spread_weights(op, without_leading_ones(op, weight), y_pred)
            counts = {name: op.Mul(count, weight) for name, count in counts.items()}
        axes = [0, 1] if self.average == "micro" else [0]
        return {
            name: op.Add(
                state[name], to_type_of(op, op.ReduceSum(count, axes, keepdims=0), state[name])
            )
            for name, count in counts.items()
        }

    def _compute(self, state: State) -> Result:
        """Return the score: a float, or an array where `average` is None."""
        tp, fp, fn = (np.asarray(state[name], np.float64) for name in (TP, FP, FN))
        positives = np.asarray(state[_POSITIVES], np.float64)
        square = self.beta**2
        scores = ratio((1 + square) * tp, (1 + square) * tp + square * fn + fp)
        if self.average is None:
            return scores
        if self.average == "weighted":
            return float(
                np.sum(scores * ratio(positives, np.full_like(positives, positives.sum())))
            )
        return float(scores.mean())


@register("metric", "f1_score")
class F1Score(FBetaScore):
    """2 precision recall / (precision + recall) of each class.

    Args:
        average: see `FBetaScore`.
        threshold: see `FBetaScore`.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> F1Score(average="macro")([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]])
        1.0
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)
