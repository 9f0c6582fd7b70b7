"""Files of feature spaces: Keras's `.keras`, and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from seqonnx.errors import ModelFileError
from seqonnx.export.keras_archive import write_archive
from seqonnx.export.keras_objects import serialize_keras_object
from seqonnx.export.keras_vocabularies import load_vocabulary
from seqonnx.export.keras_weights import part_of_layers
from seqonnx.graph import read_together
from seqonnx.importers.keras.archive import KerasArchive, open_archive
from seqonnx.importers.keras.hdf5 import open_hdf5
from seqonnx.importers.keras.parts import Part, assign, numbered_names
from seqonnx.importers.keras.weights import match_weights, weights_content
from seqonnx.layers.base import Layer
from seqonnx.layers.core.identity import Identity
from seqonnx.layers.preprocessing.index_lookup import IndexLookup
from seqonnx.layers.preprocessing.normalization import Normalization

CLASS: Final = "FeatureSpace"
_MODULE: Final = "keras.src.layers.preprocessing.feature_space"


def space_entry(space: Any) -> dict[str, Any]:
    """Return a feature space as Keras writes it into its files."""
    layers = space.preprocessors
    config = space.get_config()
    features = {
        name: _part("Feature", {**each, "preprocessor": _layer_entry(layers[name])})
        for name, each in config["features"].items()
    }
    crosses = [_part("Cross", {**each}) for each in config["crosses"]]
    built = {name: {} if isinstance(x, IndexLookup) else _BUILT for name, x in layers.items()}
    return {
        "module": "keras.utils",
        "class_name": CLASS,
        "config": {**config, "features": features, "crosses": crosses},
        "registered_name": None,
        **({"build_config": built} if space._adapted else {}),
    }


_BUILT: Final[Mapping[str, Any]] = {"input_shape": [None, 1]}
"""Shape of a column."""


def _part(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"module": _MODULE, "class_name": name, "config": config, "registered_name": name}


def _layer_entry(layer: Layer) -> Any:
    """A preprocessing layer; Keras has a class of its own for the one that changes nothing."""
    entry = serialize_keras_object(layer)
    if isinstance(layer, Identity):
        entry |= {"module": _MODULE, "class_name": "TFDIdentity", "registered_name": "TFDIdentity"}
    return entry


def save_space(space: Any, path: Path) -> None:
    """Write a feature space as a `.keras` file that Keras 3 reads."""
    root = _root(space)
    variables = [variable for _, part in root.walk() for variable in part.variables]
    values = dict(zip(variables, read_together(variables)[1], strict=True))
    write_archive(path, space_entry(space), weights_content(root, values))


def load_space(cls: Any, path: Path) -> Any:
    """Read a `.keras` file of a feature space, written here or by Keras."""
    with open_archive(path) as archive:
        if archive.config.get("class_name") != CLASS:
            raise ModelFileError(
                f"{path} holds a {archive.config.get('class_name')}, not a {CLASS}."
            )
        return space_in(cls, archive, path)


def space_in(cls: Any, archive: KerasArchive, path: Path) -> Any:
    """Return the feature space in an open archive, with what it has learnt.

    Args:
        cls: class of feature spaces.
        archive: the archive.
        path: where it lies, for errors.
    """
    try:
        space = cls.from_config(dict(archive.config["config"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be loaded: {error!r} in its configuration.") from error
    restore_build(space, archive.config)
    with open_hdf5(path, archive.weights) as file:
        matched, failures = match_weights(file, _root(space))
        for name, layer in _named(space):
            text = archive.vocabularies.get(name)
            if isinstance(layer, IndexLookup) and text is not None:
                load_vocabulary(layer, name, text, file)
    assign(matched, failures, path, skip=False)
    return space


def restore_build(space: Any, entry: Mapping[str, Any]) -> None:
    """Note that a feature space has learnt, and build its layers, if its entry says so."""
    if entry.get("build_config"):
        for layer in space.preprocessors.values():
            if isinstance(layer, Normalization):
                layer.build((None, 1))
        space._adapted = True


def _named(space: Any) -> list[tuple[str, Layer]]:
    """The preprocessing layers, each at its path in Keras's files."""
    layers = list(space.preprocessors.values())
    names = ["TFDIdentity" if isinstance(x, Identity) else type(x).__name__ for x in layers]
    paths = [f"preprocessors/{name}" for name in numbered_names(names)]
    return list(zip(paths, layers, strict=True))


def _root(space: Any) -> Part:
    """A feature space as a weight file sees it."""
    return part_of_layers(space.name, [pair for pair in _named(space) if pair[1].weights])


def write_json(space: Any, path: Path) -> None:
    """Write a feature space as JSON."""
    weights = {
        name: [array.tolist() for array in layer.get_weights()]
        for name, layer in space.preprocessors.items()
        if isinstance(layer, Normalization) and layer.built
    }
    content = {
        "class_name": CLASS,
        "config": space.get_config(),
        "name": space.name,
        "adapted": space._adapted,
        "weights": weights,
    }
    path.write_text(json.dumps(content, indent=1), "utf-8")


def read_json(cls: Any, path: Path) -> Any:
    """Read what `write_json` wrote.

    Raises:
        ValueError: if the file is another one.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        known = content["class_name"] == CLASS
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a file of a feature space: {error!r}") from error
    if not known:
        raise ValueError(f"{path} holds a {content['class_name']}, not a feature space")
    space = cls(**content["config"], name=content["name"])
    for name, arrays in content["weights"].items():
        layer = space.preprocessors[name]
        layer.build((None, 1))
        given = zip(arrays, layer.get_weights(), strict=True)
        layer.set_weights([np.asarray(new, old.dtype) for new, old in given])
    space._adapted = content["adapted"]
    return space
