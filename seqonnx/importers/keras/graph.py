"""A model of Keras's configuration, as seqonnx writes its own: layers and what they are called on.

Nothing is built here. The result names classes and calls, and whoever builds models from
configurations of seqonnx's builds this one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from seqonnx.errors import ModelFileError
from seqonnx.importers.keras.config import (
    MODELS,
    Catalogue,
    layer_entries,
    missing_layers,
    translate,
    translate_input,
)

_AUTOMATIC = re.compile(r"input_layer(_\d+)?|input_\d+")
DAMAGED = (KeyError, IndexError, TypeError, AttributeError, RecursionError)
"""Errors from reading a configuration that is damaged."""

_OWN = ("self", "op", "x")
"""Parameters of `call` that are no further arguments."""

Reference = list[Any]
"""A tensor: name of the layer, number of its call, number of the output."""


def model_config(config: Mapping[str, Any], catalogue: Catalogue, path: Path) -> dict[str, Any]:
    """Return the configuration in a `.keras` file as one of seqonnx's.

    Args:
        config: what config.json holds.
        catalogue: classes that it may name.
        path: the file, for errors.

    Raises:
        ModelFileError: if the configuration is damaged or needs what seqonnx lacks.
    """
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
    except DAMAGED as error:
        raise ModelFileError(f"{path} is damaged: {error!r} in its configuration.") from error
    except ModelFileError as error:
        raise ModelFileError(f"{path} cannot be loaded. {error}") from error


def _model(entry: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    config = entry["config"]
    kind = "Sequential" if entry["class_name"] == "Sequential" else "Functional"
    read = _stack if kind == "Sequential" else _graph
    common = {"name": config["name"], "trainable": config.get("trainable", True)}
    return {"class_name": kind, "config": {**common, **read(entry, config, catalogue)}}


def _stack(
    entry: Mapping[str, Any], config: Mapping[str, Any], catalogue: Catalogue
) -> dict[str, Any]:
    """Layers of a Sequential, and the shape that it was built for."""
    shape = config.get("build_input_shape") or (entry.get("build_config") or {}).get("input_shape")
    layers = [_layer(each, catalogue) for each in layer_entries(config)]
    for layer in layers:
        name = layer["config"].get("name")
        if layer["class_name"] == "InputLayer" and _AUTOMATIC.fullmatch(str(name)):
            layer["config"]["name"] = None
    return {
        "layers": layers,
        **({} if shape is None else {"build_input_shape": [None, *shape[1:]]}),
    }


def _graph(
    entry: Mapping[str, Any], config: Mapping[str, Any], catalogue: Catalogue
) -> dict[str, Any]:
    """Layers of a Functional with their calls, and its inputs and outputs."""
    layers = []
    for each in layer_entries(config):
        name = str(each["config"].get("name", each.get("name")))
        layer = _layer(each, catalogue)
        calls = each["inbound_nodes"] if layer["class_name"] != "InputLayer" else []
        takes = _arguments_of(catalogue.find(each))
        nodes = [_call(name, call, takes) for call in calls]
        layers.append({**layer, "name": name, "inbound_nodes": nodes})
    return {
        "layers": layers,
        "input_layers": _mapped(config["input_layers"], list),
        "output_layers": _mapped(config["output_layers"], list),
    }


def _layer(entry: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """A layer, an input layer, or a model used as a layer."""
    if entry["class_name"] == "InputLayer":
        return {"class_name": "InputLayer", "config": translate_input(entry["config"])}
    if entry["class_name"] in MODELS and catalogue.find(entry) is None:
        return _model(entry, catalogue)
    return translate(entry, catalogue)


def _arguments_of(cls: Any) -> Collection[str]:
    """Names of the arguments that the calls of a layer take."""
    call = getattr(cls, "call", None)
    return () if call is None else inspect.signature(call).parameters.keys()


def _call(name: str, node: Any, takes: Collection[str]) -> dict[str, Any]:
    """One call: what it was on, as Keras 3 or Keras 2 writes it, and its further arguments."""
    if isinstance(node, Mapping):
        inputs, keywords = node["args"], dict(node.get("kwargs") or {})
    else:
        keywords = {key: value for item in node for key, value in (item[3:] or [{}])[0].items()}
        inputs = [item[:3] for item in node]
    training = keywords.pop("training", None)
    extra = {key: value for key, value in keywords.items() if not _is_none(value)}
    unknown = sorted(extra.keys() - set(takes))
    if len(unknown) > 0:
        raise ModelFileError(
            f"Layer '{name}' is called with {', '.join(unknown)}, which seqonnx's layer does not "
            f"take. Its calls take: {', '.join(key for key in takes if key not in _OWN)}."
        )
    inputs = _mapped(inputs[0] if len(inputs) == 1 else inputs, list)
    single = isinstance(inputs, list) and isinstance(inputs[0], str)
    parts = inputs.values() if isinstance(inputs, dict) else [] if single else inputs
    if not all(isinstance(part, list) and isinstance(part[0], str) for part in parts):
        raise ModelFileError(
            f"Layer '{name}' is called on nested structures; seqonnx's layers take a tensor, a "
            "list or a dict of them."
        )
    call: dict[str, Any] = {"inputs": [inputs] if single else inputs}
    if len(extra) > 0:
        call = _call_with(name, call["inputs"], single, extra)
    return call if training is None else {**call, "training": bool(training)}


def _call_with(name: str, inputs: Any, single: bool, extra: Mapping[str, Any]) -> dict[str, Any]:
    """A call with further arguments: the tensors of all in one list, with slots in their place."""
    if not isinstance(inputs, list):
        raise ModelFileError(
            f"Layer '{name}' is called on a dict and with {', '.join(sorted(extra))}; seqonnx "
            "reads further arguments of calls on a tensor, or on a list of them."
        )
    tensors = list(inputs)
    slots = [{"slot": index} for index in range(len(tensors))]
    named = {key: _slotted(value, tensors) for key, value in extra.items()}
    first: Any = slots[0] if single else slots
    return {"inputs": tensors, "arguments": [first, {"dict": named}]}


def _slotted(value: Any, tensors: list[Reference]) -> Any:
    """A further argument, with each tensor in it put into the list and a slot in its place."""
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        tensors.append(_mapped(value, list))
        return {"slot": len(tensors) - 1}
    if isinstance(value, list):
        return [_slotted(item, tensors) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ModelFileError(f"An argument of a call is {value!r}, which seqonnx does not read.")


def _is_none(value: Any) -> bool:
    """Whether a keyword says nothing: None, or a structure of nothing but None."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return value is None or (isinstance(value, list) and all(map(_is_none, value)))


def _mapped(value: Any, tensor: Callable[[Reference], Any]) -> Any:
    """A structure with every reference in it replaced by what `tensor` gives."""
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        value = value["config"]["keras_history"]
    if isinstance(value, Mapping):
        return {key: _mapped(item, tensor) for key, item in value.items()}
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        return tensor([value[0], int(value[1]), int(value[2])])
    if isinstance(value, list):
        return [_mapped(item, tensor) for item in value]
    raise ModelFileError(f"The configuration is damaged: {value!r} stands where a tensor should.")
