"""Layers that are arguments of other layers: in their configurations, and from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqonnx import catalogue
from seqonnx.layers.base import Layer
from seqonnx.layers.shared_entries import find_shared, note_shared, number_of


def held_entry(layer: Layer) -> dict[str, Any]:
    """Return a layer as plain values, with its number if it stands elsewhere in the model, too."""
    return catalogue.serialize(layer) | number_of(layer)


def as_layer(given: Any) -> Any:
    """Return the layer that another one was given: from a configuration, or as it is.

    Args:
        given: a layer, the configuration of one, or something wrong.
    """
    if not isinstance(given, Mapping):
        return given
    layer = find_shared(given)
    if layer is None:
        layer = catalogue.get("layer", given, Layer)
        note_shared(given, layer)
    return layer
