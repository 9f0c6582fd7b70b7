"""Metrics by name: what `compile(metrics=[...])` accepts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from seqonnx.dtypes import plain_value
from seqonnx.graph import to_snake_case
from seqonnx.metrics import accuracy, confusion, probability, regression
from seqonnx.metrics.auc import AUC
from seqonnx.metrics.base import Metric
from seqonnx.metrics.f_score import F1Score, FBetaScore
from seqonnx.metrics.mean import MeanMetricWrapper
from seqonnx.metrics.r2 import R2Score

_CLASSES: Final[tuple[type[Metric], ...]] = (
    AUC,
    F1Score,
    FBetaScore,
    R2Score,
    accuracy.Accuracy,
    accuracy.BinaryAccuracy,
    accuracy.CategoricalAccuracy,
    accuracy.SparseCategoricalAccuracy,
    accuracy.SparseTopKCategoricalAccuracy,
    accuracy.TopKCategoricalAccuracy,
    confusion.FalseNegatives,
    confusion.FalsePositives,
    confusion.Precision,
    confusion.Recall,
    confusion.TrueNegatives,
    confusion.TruePositives,
    probability.BinaryCrossentropy,
    probability.CategoricalCrossentropy,
    probability.CategoricalHinge,
    probability.Hinge,
    probability.KLDivergence,
    probability.Poisson,
    probability.SparseCategoricalCrossentropy,
    probability.SquaredHinge,
    regression.CosineSimilarity,
    regression.LogCoshError,
    regression.MeanAbsoluteError,
    regression.MeanAbsolutePercentageError,
    regression.MeanSquaredError,
    regression.MeanSquaredLogarithmicError,
    regression.RootMeanSquaredError,
)
_ALIASES: Final[dict[str, type[Metric]]] = {
    "bce": probability.BinaryCrossentropy,
    "mae": regression.MeanAbsoluteError,
    "mape": regression.MeanAbsolutePercentageError,
    "mse": regression.MeanSquaredError,
    "msle": regression.MeanSquaredLogarithmicError,
}
NAMES: Final[dict[str, type[Metric]]] = {
    **{cls.__name__: cls for cls in _CLASSES},
    **{to_snake_case(cls.__name__): cls for cls in _CLASSES},
    **_ALIASES,
    **{alias.upper(): cls for alias, cls in _ALIASES.items()},
    "sparse_top_k_categorical_accuracy": accuracy.SparseTopKCategoricalAccuracy,
    "top_k_categorical_accuracy": accuracy.TopKCategoricalAccuracy,
}
"""Every string that names a metric without regard to shapes."""


def get(identifier: Any) -> Metric | None:
    """Return the metric that an identifier means.

    Args:
        identifier: a name (`"mae"`, `"MeanAbsoluteError"`), a `Metric` or a subclass of it, a
            config (`{"class_name": ..., "config": {...}}`), a function
            `fn(op, y_true, y_pred)`, or None.

    Returns:
        The metric, called by the string that was given; None for None.

    Raises:
        ValueError: if it means none.

    Example:
        >>> get("mae")
        <MeanAbsoluteError name=mae>
    """
    if identifier is None or isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str) and identifier in NAMES:
        return NAMES[identifier](name=identifier)
    if isinstance(identifier, dict) and identifier.get("class_name") in NAMES:
        return NAMES[identifier["class_name"]].from_config(identifier.get("config", {}))
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    if callable(identifier):
        return MeanMetricWrapper(identifier)
    raise ValueError(
        f"Could not interpret metric identifier: {identifier}. Expected a Metric, a function "
        "`fn(op, y_true, y_pred)`, or one of "
        f"{', '.join(sorted({to_snake_case(cls.__name__) for cls in _CLASSES} | set(_ALIASES)))}."
    )


def resolve(
    identifier: Any, y_true_shape: Sequence[int | None], y_pred_shape: Sequence[int | None]
) -> Metric:
    """Return the metric that an identifier means for data of these shapes, built for them.

    `"accuracy"` and `"acc"` become the binary accuracy if the predictions' last size is 1, the
    sparse categorical one if the targets lack the class axis (or have size 1 there), else the
    categorical one. Only shapes decide, as in Keras; the loss does not.

    Args:
        identifier: see `get`.
        y_true_shape: shape of the targets, batch first; None where a size is not fixed.
        y_pred_shape: shape of the predictions.

    Returns:
        The metric, called by the string that was given.

    Raises:
        ValueError: if the identifier means no metric.

    Example:
        >>> resolve("acc", (None,), (None, 10))
        <SparseCategoricalAccuracy name=acc>
    """
    if isinstance(identifier, str) and identifier.lower() in {"accuracy", "acc"}:
        metric: Metric | None = _accuracy(y_true_shape, y_pred_shape)(name=identifier)
    else:
        metric = get(identifier)
    if metric is None:
        raise ValueError("Could not interpret metric identifier: None")
    metric.build(y_true_shape, y_pred_shape)
    return metric


def serialize(metric: Metric) -> dict[str, Any]:
    """Return the config that `get` turns back into an equal metric."""
    return {"class_name": type(metric).__name__, "config": plain_value(metric.get_config())}


def _accuracy(
    y_true_shape: Sequence[int | None], y_pred_shape: Sequence[int | None]
) -> type[Metric]:
    """Kind of accuracy that shapes ask for."""
    if y_pred_shape[-1] == 1:
        return accuracy.BinaryAccuracy
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return accuracy.SparseCategoricalAccuracy
    return accuracy.CategoricalAccuracy
