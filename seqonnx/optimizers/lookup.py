"""Optimizers by name: what `compile(optimizer=...)` accepts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqonnx import catalogue
from seqonnx.optimizers.base import Optimizer


def get(identifier: Any) -> Optimizer:
    """Return the optimizer that an identifier means.

    Args:
        identifier: a name in any case (`"adam"`, `"RMSprop"`), an `Optimizer` or a subclass of
            it, or a config (`{"class_name": ..., "config": {...}}`).

    Returns:
        The optimizer.

    Raises:
        ValueError: if it means none.

    Example:
        >>> type(get("rmsprop")).__name__
        'RMSprop'
    """
    return deserialize(identifier)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return the config that `get` turns back into an equal optimizer."""
    return catalogue.serialize(optimizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Make an optimizer from the configuration returned by `serialize`.

    Args:
        config: the config, or whatever else `get` takes.
        custom_objects: the user's own classes, by name; they come first.

    Returns:
        The optimizer.

    Raises:
        ValueError: if it means none.
    """
    found: Optimizer = catalogue.get(
        "optimizer", _in_any_case(config), Optimizer, custom_objects=custom_objects
    )
    return found


def _in_any_case(identifier: Any) -> Any:
    """An identifier with its name in lower case, where the catalogue knows it so."""
    if isinstance(identifier, str) and catalogue.find("optimizer", identifier.lower()) is not None:
        return identifier.lower()
    if isinstance(identifier, Mapping) and "class_name" in identifier:
        return {**identifier, "class_name": _in_any_case(identifier["class_name"])}
    return identifier
