"""Losses by name: what `compile(loss=...)` accepts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqonnx import catalogue
from seqonnx.losses.base import Loss
from seqonnx.losses.custom import LossFunctionWrapper

_FUNCTION = "function"
"""The class of functions in configurations, as Keras writes them."""


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
    return deserialize(identifier)


def serialize(loss: Any) -> dict[str, Any]:
    """Return the config that `get` turns back into an equal loss.

    Args:
        loss: a `Loss`, or a function that stands for one.
    """
    if not isinstance(loss, Loss) and callable(loss):
        return {"class_name": _FUNCTION, "config": catalogue.name_of(loss)}
    return catalogue.serialize(loss)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Loss | None:
    """Make a loss from the configuration returned by `serialize`, here or in Keras.

    Args:
        name: the config, or whatever else `get` takes.
        custom_objects: the user's own classes and functions, by name; they come first.

    Returns:
        The loss; None for None.

    Raises:
        ValueError: if it means none.
    """
    if name is None:
        return None
    if isinstance(name, Mapping) and name.get("class_name") == _FUNCTION:
        name = name.get("config")
    found: Loss = catalogue.get("loss", name, Loss, wrap=_wrapped, custom_objects=custom_objects)
    return found


def _wrapped(function: Any) -> Loss:
    """The loss of a function: its own class for one of this package."""
    ours = getattr(function, "__module__", "").startswith("seqonnx.objectives.")
    found = catalogue.find("loss", catalogue.name_of(function)) if ours else None
    loss: Loss = LossFunctionWrapper(function) if found is None else found()
    return loss
