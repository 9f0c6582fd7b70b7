"""The arguments of a layer's constructor, as its configuration holds them."""

from __future__ import annotations

from typing import Any, Final

from seqonnx import catalogue
from seqonnx.configuration import argument_names, config_of
from seqonnx.layers.shared_entries import number_of

_UNLESS_GIVEN: Final = frozenset({"lora_rank", "lora_alpha", "quantization_config"})
"""Arguments of a mode that most layers are not in: absent from the configuration of those."""


def own_arguments(layer: object, root: type) -> dict[str, Any]:
    """Return the arguments that a layer has beyond those of every layer.

    Each is read from the attribute of its name; initializers, regularizers, constraints and layers
    become configurations, functions their names.

    Args:
        layer: the layer.
        root: the base class of all layers.
    """
    config = config_of(layer, root, without=argument_names(root, root))
    return {
        name: _numbered(_plain(value), getattr(layer, name, None))
        for name, value in config.items()
        if value is not None or name not in _UNLESS_GIVEN
    }


def _numbered(value: Any, held: Any) -> Any:
    """An argument, with its number if it is a layer that stands elsewhere, too."""
    return value | number_of(held) if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    """An argument as JSON holds it."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return catalogue.saved_name(value) if callable(value) else value
