"""Losses by name: what `compile(loss=...)` accepts."""

from __future__ import annotations

from typing import Any, Final

from seqonnx import objectives
from seqonnx.dtypes import plain_value
from seqonnx.losses.base import Loss
from seqonnx.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
from seqonnx.losses.custom import LossFunctionWrapper
from seqonnx.losses.hinge import CategoricalHinge, Hinge, SquaredHinge
from seqonnx.losses.regression import (
    CosineSimilarity,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
)

_BY_FUNCTION: Final[dict[str, type[Loss]]] = {
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "categorical_hinge": CategoricalHinge,
    "cosine_similarity": CosineSimilarity,
    "hinge": Hinge,
    "huber": Huber,
    "kl_divergence": KLDivergence,
    "log_cosh": LogCosh,
    "mean_absolute_error": MeanAbsoluteError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "mean_squared_error": MeanSquaredError,
    "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
    "poisson": Poisson,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "squared_hinge": SquaredHinge,
}
_ALIASES: Final = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
NAMES: Final[dict[str, type[Loss]]] = {
    **_BY_FUNCTION,
    **{cls.__name__: cls for cls in _BY_FUNCTION.values()},
    **_ALIASES,
    **{alias.upper(): cls for alias, cls in _ALIASES.items()},
    "huber_loss": Huber,
    "logcosh": LogCosh,
}
"""Every string that names a loss."""


def get(identifier: Any) -> Loss | None:
    """Return the loss that an identifier means.

    Args:
        identifier: a name (`"mse"`, `"MeanSquaredError"`), a `Loss` or a subclass of it, a config
            (`{"class_name": ..., "config": {...}}`), a function `fn(op, y_true, y_pred)`, or
            None.

    Returns:
        The loss; None for None.

    Raises:
        ValueError: if it means none.

    Example:
        >>> get("mse")
        <MeanSquaredError name=mean_squared_error, reduction=sum_over_batch_size>
    """
    if identifier is None or isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, str) and identifier in NAMES:
        return NAMES[identifier]()
    if isinstance(identifier, dict) and identifier.get("class_name") in NAMES:
        return NAMES[identifier["class_name"]].from_config(identifier.get("config", {}))
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    if callable(identifier):
        name = getattr(identifier, "__name__", "")
        if getattr(objectives, name, None) is identifier and name in _BY_FUNCTION:
            return _BY_FUNCTION[name]()
        return LossFunctionWrapper(identifier)
    raise ValueError(
        f"Could not interpret loss identifier: {identifier}. Expected a Loss, a function "
        f"`fn(op, y_true, y_pred)`, or one of {', '.join(sorted(_BY_FUNCTION))}."
    )


def serialize(loss: Loss) -> dict[str, Any]:
    """Return the config that `get` turns back into an equal loss."""
    return {"class_name": type(loss).__name__, "config": plain_value(loss.get_config())}
