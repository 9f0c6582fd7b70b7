"""Correlations of predictions with targets, along an axis."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.defaults import epsilon
from seqonnx.graph import Emitter
from seqonnx.metrics.mean import MeanMetric
from seqonnx.metrics.metric_function import metric_function
from seqonnx.objectives import aligned


@metric_function
def pearson_correlation(
    op: Emitter, y_true: ir.Value, y_pred: ir.Value, axis: int = -1
) -> ir.Value:
    """Emit the covariance of targets and predictions, divided by both standard deviations.

    Not a number where one of them is constant.

    Args:
        op: emitter of the graph.
        y_true: targets, with the shape of `y_pred` (a last dimension of 1 may be missing).
        y_pred: predictions, shape `(batch, ...)`.
        axis: the axis of the values that are compared.

    Returns:
        Values of the shape of `y_pred` without the axis. Source: Pearson, "Notes on regression
        and inheritance in the case of two parents", 1895.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    scaled = []
    for value in (y_true, y_pred):
        centred = op.Sub(value, op.ReduceMean(value, [axis]))
        deviation = op.Sqrt(op.ReduceMean(op.Mul(centred, centred), [axis]))
        scaled.append(op.Div(centred, deviation))
    return op.ReduceMean(op.Mul(*scaled), [axis], keepdims=0)


@metric_function
def concordance_correlation(
    op: Emitter, y_true: ir.Value, y_pred: ir.Value, axis: int = -1
) -> ir.Value:
    """Emit 2 cov / (var_true + var_pred + (mean_true - mean_pred)^2): 1 where both agree.

    Arguments as `pearson_correlation`. 1e-7 is added to the denominator. Source: Lin, "A
    concordance correlation coefficient to evaluate reproducibility", 1989.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    means = [op.ReduceMean(value, [axis]) for value in (y_true, y_pred)]
    true, pred = (op.Sub(v, mean) for v, mean in zip((y_true, y_pred), means, strict=True))
    variances = [op.ReduceMean(op.Mul(v, v), [axis], keepdims=0) for v in (true, pred)]
    apart = op.Squeeze(op.Sub(*means), [axis])
    whole = op.Add(op.Add(*variances), op.Mul(apart, apart))
    shared = op.ReduceMean(op.Mul(true, pred), [axis], keepdims=0)
    return op.Div(op.Mul(shared, 2.0), op.Add(whole, epsilon()))


class _Correlation(MeanMetric):
    """The mean of a correlation along an axis."""

    def __init__(self, name: str | None, dtype: str | None, axis: int) -> None:
        super().__init__(name, dtype)
        self.axis = axis


@register("metric", "pearson_correlation")
class PearsonCorrelation(_Correlation, formula=pearson_correlation):
    """Mean over the samples of the Pearson correlation coefficient along an axis.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.
        axis: the axis of the values that are compared.

    Example:
        >>> metric = PearsonCorrelation()
        >>> round(metric([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]), 4)
        0.9967
    """

    def __init__(
        self,
        name: str | None = "pearson_correlation",
        dtype: str | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype, axis)


@register("metric", "concordance_correlation")
class ConcordanceCorrelation(_Correlation, formula=concordance_correlation):
    """Mean over the samples of the concordance correlation coefficient along an axis.

    Args:
        name: name shown and logged.
        dtype: dtype of the accumulators.
        axis: the axis of the values that are compared.

    Example:
        >>> metric = ConcordanceCorrelation()
        >>> round(metric([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]), 4)
        0.9816
    """

    def __init__(
        self,
        name: str | None = "concordance_correlation",
        dtype: str | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype, axis)
