"""A model from Keras's configuration: its layers, called on each other as they were in Keras."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seqonnx.errors import ModelFileError
from seqonnx.graph.budget import weights_at_most
from seqonnx.importers.keras.archive import open_archive
from seqonnx.importers.keras.config import (
    MODELS,
    Catalogue,
    layer_entries,
    missing_layers,
    translate,
    translate_input,
)
from seqonnx.importers.keras.hdf5 import open_hdf5
from seqonnx.importers.keras.parts import assign
from seqonnx.importers.keras.weights import match_weights
from seqonnx.layers.base import Layer
from seqonnx.layers.core.input import InputLayer
from seqonnx.layers.serialization import KNOWN, deserialize
from seqonnx.export.keras_weights import part_of
from seqonnx.models.model import Model
from seqonnx.models.sequential import Sequential

_AUTOMATIC = re.compile(r"input_layer(_\d+)?|input_\d+")
_NOT_OF_KERAS = ("ONNXModel",)
_EXPANSION = 100
"""How many times smaller the weights may be in the file: HDF5 compresses."""
_DAMAGED = (KeyError, IndexError, TypeError, AttributeError, RecursionError)

Reference = tuple[str, int, int]
"""A tensor: name of the layer, number of its call, number of the output."""


def load_model(path: Path, custom_objects: Mapping[str, Any]) -> Model:
    """Build the model of a `.keras` file and give it its weights; it is not compiled.

    Args:
        path: the file.
        custom_objects: the caller's own classes and functions, by name.

    Raises:
        ModelFileError: if the file is absent, broken or hostile, or needs what seqonnx lacks.
        ImportError: if h5py is not installed.
    """
    with open_archive(path) as archive:
        with weights_at_most(archive.held, factor=_EXPANSION):
            model = build_model(archive.config, custom_objects, path)
        with open_hdf5(path, archive.weights) as file:
            matched, failures = match_weights(file, part_of(model))
    assign(matched, failures, path, skip=False)
    return model


def build_model(config: Mapping[str, Any], custom: Mapping[str, Any], path: Path) -> Model:
    """Make a model, with new weights, from the configuration in a `.keras` file.

    Args:
        config: what config.json holds.
        custom: the caller's own classes and functions, by name.
        path: the file, for errors.

    Raises:
        ModelFileError: if the configuration is damaged or needs what seqonnx lacks.
    """
    known = {name: cls for name, cls in KNOWN.items() if name not in _NOT_OF_KERAS}
    catalogue = Catalogue(known, custom)
    try:
        missing = missing_layers(config, catalogue)
        if len(missing) > 0:
            names = [f"{name} (layers: {', '.join(at)})" for name, at in sorted(missing.items())]
            raise ModelFileError(
                f"seqonnx has no layer for {'; '.join(names)}. Pass classes of your own in "
                f"`custom_objects`, or export the model to ONNX with Keras."
            )
        if config.get("class_name") not in MODELS:
            raise ModelFileError(f"It holds a {config.get('class_name')}, not a model.")
        return _model(config, catalogue)
    except _DAMAGED as error:
        raise ModelFileError(f"{path} is damaged: {error!r} in its configuration.") from error
    except ValueError as error:
        raise ModelFileError(f"{path} cannot be loaded. {error}") from error


def _model(entry: Mapping[str, Any], catalogue: Catalogue) -> Model:
    config = entry["config"]
    if entry["class_name"] == "Sequential":
        model = _sequential(config, catalogue)
        shape = config.get("build_input_shape") or (entry.get("build_config") or {}).get(
            "input_shape"
        )
        if not model.built and shape is not None:
            model.build([None, *shape[1:]])
        return model
    return _functional(config, catalogue)


def _layer(entry: Mapping[str, Any], catalogue: Catalogue) -> Layer:
    """A layer, or a model used as one."""
    if entry["class_name"] in MODELS and catalogue.find(entry) is None:
        return _model(entry, catalogue)
    cls = catalogue.find(entry)
    return deserialize(translate(entry, catalogue), {**catalogue.custom, cls.__name__: cls})


def _sequential(config: Mapping[str, Any], catalogue: Catalogue) -> Sequential:
    model = Sequential(name=config["name"], trainable=config.get("trainable", True))
    for entry in layer_entries(config):
        if entry["class_name"] == "InputLayer":
            arguments = translate_input(entry["config"])
            if _AUTOMATIC.fullmatch(str(arguments["name"])):
                arguments["name"] = None
            model.add(InputLayer(**arguments))
        else:
            model.add(_layer(entry, catalogue))
    return model


def _functional(config: Mapping[str, Any], catalogue: Catalogue) -> Model:
    """Call the layers as the configuration says, each as soon as its inputs are there."""
    tensors: dict[Reference, Any] = {}
    waiting: list[tuple[Layer, int, Any]] = []
    for entry in layer_entries(config):
        name = str(entry["config"].get("name", entry.get("name")))
        if entry["class_name"] == "InputLayer":
            tensors[name, 0, 0] = InputLayer(**translate_input(entry["config"])).output
            continue
        layer = _layer(entry, catalogue)
        waiting += [(layer, index, node) for index, node in enumerate(entry["inbound_nodes"])]
    while len(waiting) > 0:
        later = [item for item in waiting if not _call(*item, tensors)]
        if len(later) == len(waiting):
            raise ModelFileError(
                "The configuration is damaged: these layers wait for inputs that nothing gives: "
                f"{sorted({layer.name for layer, _, _ in later})}."
            )
        waiting = later
    return Model(
        _resolve(config["input_layers"], tensors.__getitem__),
        _resolve(config["output_layers"], tensors.__getitem__),
        name=config["name"],
        trainable=config.get("trainable", True),
    )


def _call(layer: Layer, index: int, node: Any, tensors: dict[Reference, Any]) -> bool:
    """Call a layer if its inputs are there; returns whether they were."""
    inputs, training = _arguments(layer.name, node)
    wanted: list[Reference] = []

    def note(reference: Reference) -> None:
        wanted.append(reference)

    _resolve(inputs, note)
    if not all(reference in tensors for reference in wanted):
        return False
    result = layer(_resolve(inputs, tensors.__getitem__), training=training)
    outputs = list(result.values()) if isinstance(result, Mapping) else result
    for number, tensor in enumerate(outputs if isinstance(outputs, list) else [outputs]):
        tensors[layer.name, index, number] = tensor
    return True


def _arguments(name: str, node: Any) -> tuple[Any, bool | None]:
    """Inputs of a call, as Keras 3 or Keras 2 writes them, and its `training` argument."""
    if isinstance(node, Mapping):
        inputs, keywords = node["args"], dict(node.get("kwargs") or {})
        inputs = inputs[0] if len(inputs) == 1 else inputs
    else:
        keywords = {key: value for item in node for key, value in (item[3:] or [{}])[0].items()}
        inputs = [item[:3] for item in node]
        inputs = inputs[0] if len(inputs) == 1 else inputs
    training = keywords.pop("training", None)
    extra = sorted(key for key, value in keywords.items() if value is not None)
    if len(extra) > 0:
        raise ModelFileError(
            f"Layer '{name}' is called with {', '.join(extra)}; seqonnx's layers take inputs and "
            "`training` alone."
        )
    return inputs, None if training is None else bool(training)


def _resolve(value: Any, tensor: Callable[[Reference], Any]) -> Any:
    """A structure with every reference in it replaced by what `tensor` gives."""
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        value = value["config"]["keras_history"]
    if isinstance(value, Mapping):
        return {key: _resolve(item, tensor) for key, item in value.items()}
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        return tensor((value[0], int(value[1]), int(value[2])))
    if isinstance(value, list):
        return [_resolve(item, tensor) for item in value]
    raise ModelFileError(f"The configuration is damaged: {value!r} stands where a tensor should.")
