"""The coefficient of determination: the part of the targets' variance that is explained."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, static_shape
from seqonnx.metrics.base import Metric, Result, State, TargetShape, Values
from seqonnx.metrics.confusion import ratio
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
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Raises:
        ValueError: for an unknown aggregation.

    Example:
        >>> R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])  # doctest: +ELLIPSIS
        0.571428...
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        name: str | None = "r2_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        if class_aggregation not in _AGGREGATIONS:
            raise ValueError(
                f"Invalid value for argument `class_aggregation`. Expected one of {_AGGREGATIONS}. "
                f"Received: class_aggregation={class_aggregation}"
            )
        self.class_aggregation = class_aggregation
        self._columns = 1

    def _build(self, y_true_shape: TargetShape, y_pred_shape: TargetShape) -> None:
        """Learn the number of columns."""
        if len(y_pred_shape) > 2 or y_pred_shape[-1] is None:
            raise ValueError(
                "R2Score expects y_pred of shape (batch, outputs). Received: "
                f"y_pred.shape={tuple(y_pred_shape)}"
            )
        self._columns = y_pred_shape[-1] if len(y_pred_shape) == 2 else 1

    def _start(self) -> dict[str, npt.NDArray[Any]]:
        """Return count, mean, squares about the mean and squared errors of each column, all 0."""
        return self._zeros("count") | self._zeros(
            "mean", "squares", "errors", shape=(self._columns,)
        )

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
        return {
            "count": count,
            "mean": op.Add(state["mean"], op.Mul(shift, part)),
            "squares": op.Add(state["squares"], within),
            "errors": op.Add(state["errors"], total(op.Mul(error, error))),
        }

    def _compute(self, state: State) -> Result:
        """Return the score: a float, or an array where `class_aggregation` is None."""
        squares = np.asarray(state["squares"], np.float64)
        scores = np.where(squares > 0, 1.0 - ratio(state["errors"], squares), 0.0)
        if self.class_aggregation is None:
            return scores
        if self.class_aggregation == "uniform_average":
            return float(scores.mean())
        return float(np.sum(scores * ratio(squares, np.full_like(squares, squares.sum()))))


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
