"""Layers that stand in several places of a model: they stay one in its configuration."""

from __future__ import annotations

from seqonnx.layers._inside import parts_of
from seqonnx.layers.base import Layer
from seqonnx.layers.core.input import InputLayer
from seqonnx.layers.network import Network
from seqonnx.layers.shared_entries import numbers


def number_shared(model: Network) -> None:
    """Number what is shared in a model, for what is written in this context; not inside another.

    Args:
        model: the model that is written.
    """
    if numbers.get() is None:
        numbers.set(_shared_in(model))


def _shared_in(model: Network) -> dict[int, int]:
    """Numbers, from 1, of layers with weights that stand in several places, by their `id`."""
    place: dict[int, int] = {}
    found: dict[int, int] = {}
    holders: list[Layer] = [model]
    while len(holders) > 0:
        holder = holders.pop(0)
        for layer in _held(holder):
            if id(layer) not in place:
                place[id(layer)] = id(holder)
                holders.append(layer)
            elif place[id(layer)] != id(holder) and _has_state(layer):
                found.setdefault(id(layer), len(found) + 1)
    return found


def _held(holder: Layer) -> list[Layer]:
    """The layers in a model, or in the arguments of another layer."""
    inside = holder.layers if isinstance(holder, Network) else parts_of(vars(holder), Layer)
    return [layer for layer in inside if not isinstance(layer, InputLayer) and layer is not holder]


def _has_state(layer: Layer) -> bool:
    """Whether it matters that a layer is one: without weights, two that are equal do the same."""
    return not layer.built or len(layer.variables) > 0
