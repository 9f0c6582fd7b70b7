"""The layers of a model by their names and places."""

from __future__ import annotations

from collections.abc import Sequence

from seqonnx.layers.base import Layer


def find_layer(layers: Sequence[Layer], name: str | None, index: int | None) -> Layer:
    """Return a layer by name or by index (see `Model.get_layer`)."""
    if name is not None and index is not None:
        raise ValueError(
            f"Provide only a layer name or a layer index. Received: index={index}, name={name}."
        )
    if index is not None:
        if not -len(layers) <= index < len(layers):
            raise ValueError(
                f"Was asked to retrieve layer at index {index} but model only has "
                f"{len(layers)} layers."
            )
        return layers[index]
    if name is None:
        raise ValueError("Provide either a layer name or layer index at `get_layer`.")
    for layer in layers:
        if layer.name == name:
            return layer
    raise ValueError(
        f"No such layer: {name}. Existing layers are: {[layer.name for layer in layers]}."
    )


def check_unique_names(layers: Sequence[Layer]) -> None:
    """Raise a ValueError if two layers have one name."""
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            raise ValueError(
                f'The name "{layer.name}" is used 2 times in the model. '
                "All layer names should be unique."
            )
        seen.add(layer.name)
