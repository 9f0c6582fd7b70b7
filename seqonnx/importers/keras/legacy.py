"""Legacy Keras `.h5` files: layers in the order of the model, each with its named weights."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy.typing as npt

from seqonnx.errors import ModelFileError
from seqonnx.importers.keras.hdf5 import (
    Group,
    find_dataset,
    find_group,
    read_dataset,
    read_names,
    require_h5py,
    write_dataset,
)
from seqonnx.importers.keras.parts import Matched, Part

_LARGEST: Final = 64512
"""Bytes of an attribute, which HDF5 keeps in the header of its group."""

Named = Sequence[tuple[str, npt.NDArray[Any]]]
"""Arrays with their names."""


def legacy_content(
    attributes: Mapping[str, str],
    layers: Sequence[tuple[str, Named]],
    optimizer: Sequence[npt.NDArray[Any]] | None,
) -> bytes:
    """Return the content of a legacy file that holds a whole model.

    Args:
        attributes: of the file: configurations as JSON, and versions.
        layers: names of the layers, each with its weights.
        optimizer: variables of the optimizer, or None.

    Raises:
        ImportError: if h5py is not installed.
    """
    h5py = require_h5py()
    # In memory, as `weights.weights_content` says.
    name = secrets.token_hex(8)
    with h5py.File(name, "w", driver="core", backing_store=False) as file:
        for key, value in attributes.items():
            file.attrs[key] = value
        group = file.create_group("model_weights")
        for key in ("backend", "keras_version"):
            group.attrs[key] = attributes[key]
        _write_names(group, "layer_names", [layer for layer, _ in layers])
        for layer, weights in layers:
            _write_arrays(group.create_group(layer), weights)
        _write_arrays(group.create_group("top_level_model_weights"), ())
        if optimizer is not None:
            numbered = [(f"{index}", array) for index, array in enumerate(optimizer)]
            _write_arrays(file.create_group("optimizer_weights"), numbered)
        file.flush()
        content: bytes = file.id.get_file_image()
    return content


def _write_arrays(group: Group, weights: Named) -> None:
    """Write arrays and the list of their names."""
    _write_names(group, "weight_names", [name for name, _ in weights])
    for name, array in weights:
        write_dataset(group, name, array)


def _write_names(group: Group, attribute: str, names: Sequence[str]) -> None:
    """Write a list of names; a long one in numbered parts."""
    encoded = [name.encode("utf-8") for name in names]
    longest = max(map(len, encoded), default=1)
    count = max(1, _LARGEST // longest)
    if len(encoded) <= count:
        group.attrs[attribute] = encoded
        return
    for part, start in enumerate(range(0, len(encoded), count)):
        group.attrs[f"{attribute}{part}"] = encoded[start : start + count]


def legacy_group(file: Group) -> Group | None:
    """Return the group with the layers of a legacy file, or None for another file."""
    if any(name in file.attrs for name in ("layer_names", "layer_names0")):
        return file
    return find_group(file, "model_weights")


def match_in_order(group: Group, layers: Sequence[Part], *, skip: bool) -> Matched:
    """Find the weights by position: the first layer with weights takes the first ones, and so on.

    Args:
        group: returned by `legacy_group`.
        layers: layers of the model in Keras's order, each with its weights in the legacy order.
        skip: whether weights of another shape are left out with a warning.

    Returns:
        Variables and their values; nothing is changed.

    Raises:
        ValueError: if the numbers of layers or weights, or a shape, differ.
    """
    wanted = [layer for layer in layers if len(layer.variables) > 0]
    stored = [(name, _weight_names(group, name)) for name in read_names(group, "layer_names")]
    stored = [(name, weights) for name, weights in stored if len(weights) > 0]
    if len(stored) != len(wanted):
        raise ValueError(
            "Layer count mismatch when loading weights from file. Model expected "
            f"{len(wanted)} layers, found {len(stored)} saved layers."
        )
    matched: Matched = []
    for index, (layer, (name, weights)) in enumerate(zip(wanted, stored, strict=True)):
        if len(weights) != len(layer.variables):
            raise ValueError(
                f"Weight count mismatch for layer #{index} (named {layer.name} in the current "
                f"model, {name} in the save file). Layer expects {len(layer.variables)} weight(s). "
                f"Received {len(weights)} saved weight(s)"
            )
        matched += _match(group, name, weights, layer, index, skip)
    return matched


def match_by_name(group: Group, layers: Sequence[Part], *, skip: bool) -> Matched:
    """Find the weights by the names of the layers; layers that the file does not name stay.

    Args:
        group: returned by `legacy_group`.
        layers: layers of the model, each with its weights in the legacy order.
        skip: whether layers and weights that do not fit are left out with a warning.

    Returns:
        Variables and their values; nothing is changed.

    Raises:
        ValueError: if a layer has another number of weights, or a weight another shape.
    """
    by_name = {layer.name: layer for layer in layers}
    matched: Matched = []
    for index, name in enumerate(read_names(group, "layer_names")):
        layer = by_name.get(name)
        if layer is None:
            continue
        weights = _weight_names(group, name)
        if len(weights) != len(layer.variables):
            text = (
                f"Weight count mismatch for layer #{index} (named {name}). Layer expects "
                f"{len(layer.variables)} weight(s). Received {len(weights)} saved weight(s)"
            )
            if not skip:
                raise ValueError(text)
            warnings.warn(f"Skipping a layer: {text}", stacklevel=2)
            continue
        matched += _match(group, name, weights, layer, index, skip)
    return matched


def _match(
    group: Group, stored: str, weights: Sequence[str], layer: Part, index: int, skip: bool
) -> Matched:
    """Pair the weights of one layer with their data sets in the file."""
    matched: Matched = []
    for variable, name in zip(layer.variables, weights, strict=True):
        dataset = find_dataset(group, f"{stored}/{name}")
        if dataset is None:
            raise ModelFileError(
                f"{group.file.filename} is damaged: layer '{stored}' names a weight '{name}' that "
                "the file does not hold."
            )
        if dataset.shape == variable.shape:
            matched.append((variable, read_dataset(dataset)))
            continue
        text = (
            f"Shape mismatch in layer #{index} (named {layer.name}) for weight {variable.path}. "
            f"Weight expects shape {variable.shape}. Received saved weight with shape "
            f"{dataset.shape}"
        )
        if not skip:
            raise ValueError(text)
        warnings.warn(f"Skipping a weight: {text}", stacklevel=2)
    return matched


def _weight_names(group: Group, layer: str) -> list[str]:
    """Names of the weights of a layer of the file."""
    found = find_group(group, layer)
    if found is None:
        raise ModelFileError(
            f"{group.file.filename} is damaged: it names a layer '{layer}' that it does not hold."
        )
    return read_names(found, "weight_names")
