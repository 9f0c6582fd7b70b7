"""Metrics of numbers: mean errors of predictions."""

from __future__ import annotations

import math

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.metrics.base import Result, State
from seqonnx.metrics.mean import MeanMetric
from seqonnx.objectives.align import aligned
from seqonnx.objectives.regression import (
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from seqonnx.objectives.similarity import cosine


@register("metric", "mean_squared_error", "mse", "MSE")
class MeanSquaredError(MeanMetric, formula=mean_squared_error, rows=True):
    """Mean of (y_pred - y_true)^2; alias `"mse"`.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> MeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [0, 0]])
        0.25
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: str | None = None) -> None:
        super().__init__(name, dtype)


@register("metric", "root_mean_squared_error")
class RootMeanSquaredError(MeanMetric):
    """Square root of the mean of (y_pred - y_true)^2.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> RootMeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [0, 0]])
        0.5
    """

    def __init__(
        self, name: str | None = "root_mean_squared_error", dtype: str | None = None
    ) -> None:
        super().__init__(name, dtype)

    def call(self, op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
        """Emit the squared error of every element: the mean is taken over all of them."""
        y_true, y_pred = aligned(op, y_true, y_pred)
        error = op.Sub(y_pred, y_true)
        return op.Mul(error, error)

    def _compute(self, state: State) -> Result:
        """Return the square root of the mean."""
        return math.sqrt(float(super()._compute(state)))


@register("metric", "mean_absolute_error", "mae", "MAE")
class MeanAbsoluteError(MeanMetric, formula=mean_absolute_error, rows=True):
    """Mean of |y_pred - y_true|; alias `"mae"`.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> MeanAbsoluteError()([[0, 1], [0, 0]], [[1, 1], [0, 0]])
        0.25
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: str | None = None) -> None:
        super().__init__(name, dtype)


@register("metric", "mean_absolute_percentage_error", "mape", "MAPE")
class MeanAbsolutePercentageError(MeanMetric, formula=mean_absolute_percentage_error, rows=True):
    """Mean of 100 |y_pred - y_true| / max(|y_true|, 1e-7); alias `"mape"`.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> MeanAbsolutePercentageError()([[2.0, 4.0]], [[3.0, 4.0]])
        25.0
    """

    def __init__(
        self, name: str | None = "mean_absolute_percentage_error", dtype: str | None = None
    ) -> None:
        super().__init__(name, dtype)


@register("metric", "mean_squared_logarithmic_error", "msle", "MSLE")
class MeanSquaredLogarithmicError(MeanMetric, formula=mean_squared_logarithmic_error, rows=True):
    """Mean of (log(1 + y_pred) - log(1 + y_true))^2; alias `"msle"`.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.

    Example:
        >>> MeanSquaredLogarithmicError()([[1.0]], [[1.0]])
        0.0
    """

    def __init__(
        self, name: str | None = "mean_squared_logarithmic_error", dtype: str | None = None
    ) -> None:
        super().__init__(name, dtype)


@register("metric", "log_cosh_error")
class LogCoshError(MeanMetric, formula=log_cosh, rows=True):
    """Mean of log(cosh(y_pred - y_true)).

    Args:
        name: name shown and logged; default `"logcosh"`.
        dtype: dtype of the accumulators.

    Example:
        >>> round(float(LogCoshError()([[0.0]], [[1.0]])), 4)
        0.4338
    """

    def __init__(self, name: str | None = "logcosh", dtype: str | None = None) -> None:
        super().__init__(name, dtype)


@register("metric", "cosine_similarity")
class CosineSimilarity(MeanMetric, formula=cosine):
    """Mean cosine of the angle between y_true and y_pred along an axis: 1 is parallel.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.
        axis: the axis of the vectors.

    Example:
        >>> CosineSimilarity()([[0.0, 1.0]], [[0.0, 2.0]])
        1.0
    """

    def __init__(
        self, name: str | None = "cosine_similarity", dtype: str | None = None, axis: int = -1
    ) -> None:
        super().__init__(name, dtype)
        self.axis = axis
