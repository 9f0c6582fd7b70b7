"""Metrics that are a ratio of sums: what another program must know to compute them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from seqonnx.metrics.base import Accumulator, defines_later
from seqonnx.metrics.confusion import ConfusionMetric, Precision, Recall, TruePositives
from seqonnx.metrics.mean import Mean, MeanMetric, Sum
from seqonnx.metrics.regression import RootMeanSquaredError


class Ratio(NamedTuple):
    """The value of a metric: one sum of accumulators divided by another.

    Args:
        numerator: names of the accumulators above.
        denominator: names of those below; none: nothing is divided. Where they come to 0, the
            value is 0.
        root: whether the value is the square root of that.
    """

    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()
    root: bool = False


def ratio_of(metric: Accumulator) -> Ratio | None:
    """Return the ratio that a metric is; None if it is none of a single number.

    Args:
        metric: the metric. One whose class computes its value in its own way is no ratio.

    Example:
        >>> ratio_of(Mean())
        Ratio(numerator=('total',), denominator=('count',), root=False)
    """
    cls = type(metric)
    own = cls.compute is not Accumulator.compute or defines_later(cls, "result", "_compute")
    if own or (isinstance(metric, ConfusionMetric) and len(metric.thresholds) != 1):
        return None
    make = _BY_FORMULA.get(cls._compute)
    return None if make is None else make(metric)


def _share(metric: Any) -> Ratio:
    """The true positives among all that the metric keeps."""
    hits, missed = metric._kept
    return Ratio((hits,), (hits, missed))


_BY_FORMULA: Final[Mapping[Any, Callable[[Any], Ratio]]] = {
    Mean._compute: lambda _: Ratio(("total",), ("count",)),
    MeanMetric._compute: lambda _: Ratio(("total",), ("count",)),
    RootMeanSquaredError._compute: lambda _: Ratio(("total",), ("count",), root=True),
    Sum._compute: lambda _: Ratio(("total",)),
    Precision._compute: _share,
    Recall._compute: _share,
    TruePositives._compute: lambda metric: Ratio(metric._kept),
}
"""The ratio of each method that computes a value: whoever inherits the method has it."""
