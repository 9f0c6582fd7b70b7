"""The arguments of a layer's constructor, as its configuration holds them."""

from __future__ import annotations

from typing import Any

from seqonnx import catalogue
from seqonnx.configuration import argument_names, config_of


def own_arguments(layer: object, root: type) -> dict[str, Any]:
    """Return the arguments that a layer has beyond those of every layer.

    Each is read from the attribute of its name; initializers, regularizers, constraints and layers
    become configurations, functions their names.

    Args:
        layer: the layer.
        root: the base class of all layers.
    """
    config = config_of(layer, root, without=argument_names(root, root))
    return {name: _plain(value) for name, value in config.items()}


def _plain(value: Any) -> Any:
    """An argument as JSON holds it."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return catalogue.saved_name(value) if callable(value) else value
