"""Weight files of Keras, both ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from seqonnx.graph import read_together
from seqonnx.importers.keras.archive import open_archive
from seqonnx.importers.keras.hdf5 import open_hdf5
from seqonnx.importers.keras.heaps import refuse_endless_heaps
from seqonnx.importers.keras.legacy import legacy_group, match_by_name, match_in_order
from seqonnx.importers.keras.parts import Failure, Matched, Part, assign, numbered_names
from seqonnx.importers.keras.weights import match_weights, write_weights
from seqonnx.layers.base import Layer
from seqonnx.layers.network import Network
from seqonnx.layers.quantizable import Quantizable
from seqonnx.layers.standing import merged_values, stand_ins_in

ARCHIVE: Final = ".keras"
WEIGHTS: Final = ".weights.h5"
_OF_NETWORKS: Final = ("_layers", "_stack")
"""Attributes of networks with the layers that `layers` gives."""
READABLE: Final = (".h5", ".hdf5", ARCHIVE)


def is_keras_file(path: Path) -> bool:
    """Whether a file name is one that Keras gives to weights or models."""
    return path.suffix in READABLE


def save_weights(model: Network, path: Path) -> None:
    """Write the weights as `.weights.h5`; Keras reads them into the same layers.

    Raises:
        ValueError: if the model is not built or the name does not end in `.weights.h5`.
        ImportError: if h5py is not installed.
    """
    if not path.name.endswith(WEIGHTS):
        raise ValueError(
            f"The filename must end in `.npz` or `{WEIGHTS}`. Received: filepath={path}"
        )
    if not model.built:
        raise ValueError(
            f"Model '{model.name}' has not yet been built, so it has no weights to save. Call it "
            "on data or call `build()` first."
        )
    weights = model.weights
    values = dict(zip(weights, read_together(weights)[1], strict=True))
    write_weights(part_of(model), merged_values([model], values), path)


def load_weights(model: Network, path: Path, *, skip_mismatch: bool, by_name: bool) -> None:
    """Read the weights of a `.weights.h5`, `.keras` or legacy `.h5` file into a built model.

    Args:
        model: the model.
        path: the file.
        skip_mismatch: go on with what fits, and warn.
        by_name: match layers by name, not by order; for legacy files.

    Raises:
        ModelFileError: if the file is absent, broken or hostile.
        ValueError: if it does not fit; then nothing has changed.
        ImportError: if h5py is not installed.
    """
    matched: Matched
    failures: list[Failure] = []
    if path.suffix == ARCHIVE:
        _refuse_by_name(by_name, path)
        with open_archive(path) as archive, open_hdf5(path, archive.weights) as file:
            matched, failures = match_weights(file, part_of(model))
            matched += without_adapters(model)
    else:
        with open_hdf5(path) as file:
            refuse_endless_heaps(path)
            group = legacy_group(file)
            if group is not None:
                match = match_by_name if by_name else match_in_order
                matched = match(group, legacy_parts(model), skip=skip_mismatch)
            else:
                _refuse_by_name(by_name, path)
                matched, failures = match_weights(file, part_of(model))
                matched += without_adapters(model)
    assign(matched, failures, path, skip=skip_mismatch)


def part_of(model: Network) -> Part:
    """Return a model as a weight file sees it."""
    return _part(model, set())


def part_of_layers(name: str, layers: Sequence[tuple[str, Layer]]) -> Part:
    """Return layers at their paths as a weight file sees them.

    Args:
        name: of what holds them.
        layers: pairs of a path and a layer.
    """
    visited: set[int] = set()
    return Part(name, name, [], [(path, _part(layer, visited)) for path, layer in layers])


def without_adapters(model: Network) -> Matched:
    """Return what an adapter is beside weights that it has been merged into: of no effect.

    Keras sets both of its matrices to 0, after which neither would have a gradient.
    """
    parts = [part for adapter in stand_ins_in([model]).values() for part in adapter.parts[1:]]
    return [(part, np.zeros(part.shape, part.dtype)) for part in parts]


def _refuse_by_name(by_name: bool, path: Path) -> None:
    if by_name:
        raise ValueError(
            "`by_name` only supports loading legacy '.h5' or '.hdf5' files. "
            f"Received: filepath={path}"
        )


def _part(layer: Layer, visited: set[int]) -> Part:
    """A layer as a weight file sees it; a layer that is used again counts once."""
    visited.add(id(layer))
    adapted = layer._stand_ins
    # Keras keeps an adapted kernel where it was, with its adapter merged in.
    ranges = layer._rounded_input
    hidden = {ranges.low, ranges.high} if ranges is not None else set()
    hidden |= {part for adapter in adapted.values() for part in adapter.parts}
    weights = [v for v in layer._variables if v not in hidden]
    # Of a weight that is stored as integers those come first, and what they need comes last.
    integers = layer._quantized if isinstance(layer, Quantizable) else None
    leading = {integers.variables[0]} if integers is not None else set(adapted)
    first = [v for v in weights if v in leading] if integers is not None else []
    first += [v for v in weights if (v.trainable or v in leading) and v not in first]
    own = first + [v for v in weights if v not in first]
    parts = [
        (path, _part(inner, visited)) for path, inner in _held(layer) if id(inner) not in visited
    ]
    return Part(layer.name, layer._label, own, parts)


def _held(layer: Layer) -> Iterator[tuple[str, Layer]]:
    """Layers in a layer, each at its path in Keras's files, in the order that Keras visits them.

    Those of a network come first, and all of them; attributes come by name, private ones last. A
    model whose user has written `call` is known by its attributes, of which `layers` is one.
    """
    attributes = {name: value for name, value in vars(layer).items() if name not in _OF_NETWORKS}
    if isinstance(layer, Network) and layer._is_subclassed():
        attributes["layers"] = layer.layers
    elif isinstance(layer, Network):
        yield from _named("layers", layer.layers)
    shown = {_public_name(layer, name): part for name, part in attributes.items()}
    for name in sorted(shown, key=lambda name: f"~{name}" if name[0] == "_" else name):
        held = _named(name, shown[name])
        yield from (pair for pair in held if name == "layers" or len(pair[1].weights) > 0)


def _named(path: str, value: Any) -> Iterator[tuple[str, Layer]]:
    """The layers in an attribute: itself, or in lists, tuples and dicts."""
    if isinstance(value, Layer):
        yield path, value
        return
    parts = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(parts, list | tuple):
        return
    known = [part for part in parts if isinstance(part, Layer | list | tuple | dict)]
    names = numbered_names([class_name(x) if isinstance(x, Layer) else "container" for x in known])
    for name, part in zip(names, known, strict=True):
        yield from _named(f"{path}/{name}", part)


def _public_name(layer: Layer, name: str) -> str:
    """The name of an attribute; where a property without the underscore shows it, that one."""
    public = name.removeprefix("_")
    return public if isinstance(getattr(type(layer), public, None), property) else name


def class_name(layer: Layer) -> str:
    """Return the class name that Keras has for a layer."""
    return "Functional" if type(layer).__name__ == "Model" else type(layer).__name__


def legacy_parts(model: Network) -> list[Part]:
    """Return layers with their weights as legacy files order them: those that train first."""
    return [
        Part(layer.name, layer._label, [*layer.trainable_weights, *layer.non_trainable_weights])
        for layer in model.layers
    ]
