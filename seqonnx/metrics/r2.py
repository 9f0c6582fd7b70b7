"""The coefficient of determination: the part of the targets' variance that is explained."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, static_shape
from seqonnx.metrics.base import Held, Result, State, TargetShape, Values
from seqonnx.metrics.confusion import ratio
from seqonnx.metrics.metric import Metric
from seqonnx.objectives import aligned, spread_weights, to_type_of, without_leading_ones

_AGGREGATIONS: Final = ("uniform_average", "variance_weighted_average", None)


@register("metric", "r2_score")
class R2Score(Metric):
    """1 - sum((y_true - y_pred)^2) / sum((y_true - mean)^2), per column of the targets.

    Mean and squares are merged batch by batch (Chan, Golub & LeVeque, "Updating formulae and a
    pairwise algorithm for computing sample variances", 1979), so that targets far from 0 lose no
    digits.

    Args:
        class_aggregation: `"uniform_average"` over columns, `"variance_weighted_average"`, or
            None for an array.
        num_regressors: p, the number of independent variables, for the adjusted score
            1 - (1 - score) (n - 1) / (n - p - 1); n is the number of target values, as in Keras.
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Raises:
        ValueError: for an unknown aggregation, or a negative `num_regressors`.

    Example:
        >>> R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])  # doctest: +ELLIPSIS
        0.571428...
    """

    num_samples, count, mean, total_mse = Held(), Held(), Held(), Held("errors")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(dtype, name)
        if class_aggregation not in _AGGREGATIONS:
            raise ValueError(
                f"Invalid value for argument `class_aggregation`. Expected one of {_AGGREGATIONS}. "
                f"Received: class_aggregation={class_aggregation}"
            )
        if num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`. Expected a value >= 0. "
                f"Received: num_regressors={num_regressors}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self._columns = 1

    @property
    def sum(self) -> Any:
        """The weighted sum of the targets of each column."""
        held = self._accumulators()
        return held["mean"].numpy() * held["count"].numpy()

    @property
    def squared_sum(self) -> Any:
        """The weighted sum of the squared targets of each column."""
        return self._accumulators()["squares"].numpy() + self.sum * self.mean.numpy()

    def _build(self, y_true_shape: TargetShape, y_pred_shape: TargetShape) -> None:
        """Learn the number of columns."""
        if len(y_pred_shape) > 2 or y_pred_shape[-1] is None:
            raise ValueError(
                "R2Score expects y_pred of shape (batch, outputs). Received: "
                f"y_pred.shape={tuple(y_pred_shape)}"
            )
        self._columns = y_pred_shape[-1] if len(y_pred_shape) == 2 else 1

    def _own_start(self) -> dict[str, npt.NDArray[Any]]:
        """Return counts, and mean, squares about it and squared errors of each column, all 0."""
        columns = self._zeros("mean", "squares", "errors", shape=(self._columns,))
        return self._zeros("num_samples", "count") | columns

    def _update(
        self,
        op: Emitter,
        state: Values,
        y_true: ir.Value,
        y_pred: ir.Value,
        sample_weight: ir.Value | None = None,
    ) -> dict[str, ir.Value]:
        """Emit the accumulators after a batch."""
        y_true, y_pred = aligned(op, y_true, y_pred)
        if len(static_shape(y_pred)) == 1:
            y_true, y_pred = (op.Unsqueeze(value, [-1]) for value in (y_true, y_pred))
        y_true, y_pred = (to_type_of(op, value, state["mean"]) for value in (y_true, y_pred))
        if sample_weight is None:
            sample_weight = op.Add(op.Mul(op.ReduceMean(y_true, [1], keepdims=0), 0.0), 1.0)
        weight = _per_sample(op, to_type_of(op, sample_weight, y_true), y_true)
        weight = op.Reshape(weight, [1, -1])

        def total(values: ir.Value) -> ir.Value:
            return op.Squeeze(op.MatMul(weight, values), [0])

        added = op.ReduceSum(weight, keepdims=0)
        count = op.Add(state["count"], added)
        # A batch of weight 0 divides 0 by the smallest number in place of 0.
        mean = op.Div(total(y_true), op.Max(added, 1e-30))
        centred = op.Sub(y_true, mean)
        shift = op.Sub(mean, state["mean"])
        part = op.Div(added, op.Max(count, 1e-30))
        between = op.Mul(op.Mul(shift, shift), op.Mul(state["count"], part))
        within = op.Add(total(op.Mul(centred, centred)), between)
        error = op.Sub(y_true, y_pred)
        size = to_type_of(op, op.Size(y_true), state["num_samples"])
        return {
            "num_samples": op.Add(state["num_samples"], size),
            "count": count,
            "mean": op.Add(state["mean"], op.Mul(shift, part)),
            "squares": op.Add(state["squares"], within),
            "errors": op.Add(state["errors"], total(op.Mul(error, error))),
        }

    def _compute(self, state: State) -> Result:
        """Return the score: a float, or an array where `class_aggregation` is None."""
        squares = np.asarray(state["squares"], np.float64)
        scores = np.where(squares > 0, 1.0 - ratio(state["errors"], squares), 0.0)
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            scores = np.sum(scores * ratio(squares, np.full_like(squares, squares.sum())))
        scores = self._adjusted(scores, float(state["num_samples"]))
        return scores if self.class_aggregation is None else float(scores)

    def _adjusted(self, scores: Any, samples: float) -> Any:
        """The scores, with `num_regressors` taken into account."""
        left = samples - self.num_regressors - 1
        if self.num_regressors == 0 or left > 0:
            return 1.0 - (1.0 - scores) * (samples - 1) / left if self.num_regressors else scores
        if left < 0:
            what = "More independent predictors than datapoints in adjusted R2 score."
        else:
            what = "Division by zero in Adjusted R2 score."
        warnings.warn(f"{what} Falling back to standard R2 score.", stacklevel=2)
        return scores


def _per_sample(op: Emitter, weight: ir.Value, y_true: ir.Value) -> ir.Value:
    """One weight for each sample, from a number or from weights whose sizes of 1 are broadcast."""
    if len(static_shape(weight)) == 1 and static_shape(weight) == static_shape(y_true)[:1]:
        return weight
    column = spread_weights(op, without_leading_ones(op, weight), y_true)
    if len(static_shape(column)) == 2 and static_shape(column)[1] != 1:
        raise ValueError(
            "R2Score takes one weight for each sample, not one for each column. Received: "
            f"sample_weight.shape={static_shape(weight)}"
        )
    samples = op.Concat(op.Shape(y_true, start=0, end=1), [1], axis=0)
    return op.Expand(column, samples)
