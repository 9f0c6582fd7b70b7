"""Metrics by name: what `compile(metrics=[...])` accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqonnx import catalogue
from seqonnx.metrics import accuracy
from seqonnx.metrics.mean import MeanMetricWrapper, function_named
from seqonnx.metrics.metric import Metric


def get(identifier: Any) -> Metric | None:
    """Return the metric that an identifier means.

    Args:
        identifier: a name (`"mae"`, `"MeanAbsoluteError"`, or that of a function of this room such
            as `"huber"`), a `Metric` or a subclass of it, a
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
    return deserialize(identifier)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Metric | None:
    """Make a metric from the configuration returned by `serialize`.

    Args:
        config: the config, or whatever else `get` takes.
        custom_objects: the user's own classes and functions, by name; they come first.

    Returns:
        The metric; None for None.

    Raises:
        ValueError: if it means none.
    """
    if config is None:
        return None
    function = function_named(config) if isinstance(config, str) else None
    if function is not None and catalogue.find("metric", config, custom_objects) is None:
        return MeanMetricWrapper(function, name=config)
    found: Metric = catalogue.get(
        "metric",
        _with_function(config, custom_objects or {}),
        Metric,
        wrap=MeanMetricWrapper,
        named=lambda cls, name: cls(name=name),
        custom_objects=custom_objects,
    )
    return found


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
    metric._build(y_true_shape, y_pred_shape)
    return metric


def serialize(metric: Metric) -> dict[str, Any]:
    """Return the config that `get` turns back into an equal metric."""
    return catalogue.serialize(metric)


def _with_function(config: Any, custom_objects: Mapping[str, Any]) -> Any:
    """A configuration with the user's function in the place of its name."""
    inner = config.get("config") if isinstance(config, Mapping) else None
    function = inner.get("fn") if isinstance(inner, Mapping) else None
    name = function.get("config") if isinstance(function, Mapping) else None
    if not isinstance(inner, Mapping) or name is None or name not in custom_objects:
        return config
    return {**config, "config": {**inner, "fn": custom_objects[name]}}


def _accuracy(
    y_true_shape: Sequence[int | None], y_pred_shape: Sequence[int | None]
) -> type[Metric]:
    """Kind of accuracy that shapes ask for."""
    if y_pred_shape[-1] == 1:
        return accuracy.BinaryAccuracy
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return accuracy.SparseCategoricalAccuracy
    return accuracy.CategoricalAccuracy
