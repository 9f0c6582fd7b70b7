"""A model of Keras's configuration, as seqonnx writes its own: layers and what they are called on.

Nothing is built here. The result names classes and calls, and whoever builds models from
configurations of seqonnx's builds this one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seqonnx.errors import ModelFileError
from seqonnx.importers.keras.config import (
    MODELS,
    Catalogue,
    layer_entries,
    missing_layers,
    shared_number,
    translate,
    translate_input,
)
from seqonnx.importers.keras.operations import function_of, operation, operation_call

_AUTOMATIC = re.compile(r"input_layer(_\d+)?|input_\d+")
_WITHOUT_DEFAULT = (
    *("BatchNormalization", "MultiHeadAttention", "GroupQueryAttention", "Attention"),
    *("AdditiveAttention", "Bidirectional", "TimeDistributed"),
)
"""Layers of Keras's whose `call` has None as the default of `training`."""

DAMAGED = (KeyError, IndexError, TypeError, AttributeError, RecursionError)
"""Errors from reading a configuration that is damaged."""

Reference = list[Any]
"""A tensor: name of the layer, number of its call, number of the output."""


def model_config(
    config: Mapping[str, Any], catalogue: Catalogue, path: Path | str
) -> dict[str, Any]:
    """Return the configuration in a `.keras` file as one of seqonnx's.

    Args:
        config: what config.json holds.
        catalogue: classes that it may name.
        path: the file, or what else the configuration is called in errors.

    Raises:
        ModelFileError: if the configuration is damaged or needs what seqonnx lacks.
    """
    try:
        missing = missing_layers(
            config, catalogue, lambda entry: function_of(entry, catalogue) is not None
        )
        if len(missing) > 0:
            names = [f"{name} (layers: {', '.join(at)})" for name, at in sorted(missing.items())]
            raise ModelFileError(
                f"seqonnx has no layer for {'; '.join(names)}. Pass classes of your own in "
                f"`custom_objects`, or export the model to ONNX with Keras."
            )
        if config.get("class_name") in MODELS or _is_network(config):
            return _model(config, catalogue)
        raise ModelFileError(f"It holds a {config.get('class_name')}, not a model.")
    except DAMAGED as error:
        raise ModelFileError(f"{path} is damaged: {error!r} in its configuration.") from error
    except ModelFileError as error:
        raise ModelFileError(f"{path} cannot be loaded. {error}") from error


def _model(entry: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    config = entry["config"]
    kind = "Functional" if "input_layers" in config else "Sequential"
    read = _stack if kind == "Sequential" else _graph
    common = {"name": config["name"], "trainable": config.get("trainable", True)}
    own = None if entry["class_name"] in MODELS else catalogue.name_of(entry)
    return {"class_name": own or kind, "config": {**common, **read(entry, config, catalogue)}}


def _is_network(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is of a class of the user's that is made from layers, as a model is."""
    config = entry.get("config")
    return isinstance(config, Mapping) and isinstance(config.get("layers"), list)


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
        calls, function = each["inbound_nodes"], function_of(each, catalogue)
        if function is not None:
            layer = operation(function, name)
            nodes = [operation_call(each, function, call, catalogue, _pattern) for call in calls]
        else:
            layer = _layer(each, catalogue)
            is_input = layer["class_name"] == "InputLayer"
            wishes = _tells_training(each, catalogue)
            nodes = [] if is_input else [_call(name, call, wishes=wishes) for call in calls]
        layers.append({**layer, "name": name, "inbound_nodes": nodes})
    return {
        "layers": layers,
        "input_layers": _mapped(config["input_layers"], list),
        "output_layers": _mapped(config["output_layers"], list),
    }


def _layer(entry: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """A layer, an input layer, or a model used as a layer, with its number if it is shared."""
    return _own_layer(entry, catalogue) | shared_number(entry)


def _own_layer(entry: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """A layer, an input layer, or a model used as a layer."""
    if entry["class_name"] == "InputLayer":
        return {"class_name": "InputLayer", "config": translate_input(entry["config"])}
    found = catalogue.find(entry)
    own = isinstance(found, type) and _is_network(entry)
    if own or (entry["class_name"] in MODELS and found is None):
        return _model(entry, catalogue)
    return translate(entry, catalogue)


def _tells_training(entry: Mapping[str, Any], catalogue: Catalogue) -> bool:
    """Whether a `training` that stands in calls of a layer is what the caller has asked for.

    Keras 3 notes the default of the argument, too. It is None in the layers named here and in
    models; in others False, or True, would stand in every call.
    """
    name = str(entry["class_name"])
    if catalogue.name_of(entry) in catalogue.custom:
        call = getattr(catalogue.find(entry), "call", None)
        known = {} if call is None else inspect.signature(call).parameters
        return "training" not in known or known["training"].default is None
    return name in MODELS or name in _WITHOUT_DEFAULT


def _call(name: str, node: Any, *, wishes: bool = True) -> dict[str, Any]:
    """One call: what it was on, as Keras 3 or Keras 2 writes it, and its `training` argument."""
    if isinstance(node, Mapping):
        inputs, keywords = node["args"], dict(node.get("kwargs") or {})
    else:
        keywords = {key: value for item in node for key, value in (item[3:] or [{}])[0].items()}
        inputs = [item[:3] for item in node]
    training = keywords.pop("training", None)
    if isinstance(node, Mapping) and not wishes:
        training = None
    extra = {key: value for key, value in keywords.items() if not _is_none(value)}
    call = _plain_call(inputs) if len(extra) == 0 and _is_plain(node, inputs) else None
    if call is None:
        call = _structured_call(name, node, inputs, extra)
    return call if training is None else {**call, "training": bool(training)}


def _is_plain(node: Any, inputs: Any) -> bool:
    """Whether a call is on one tensor, or on a flat list or dict of them."""
    if not isinstance(node, Mapping):
        return True
    if len(inputs) != 1:
        return False
    parts = inputs[0].values() if isinstance(inputs[0], Mapping) else inputs[0]
    if _is_tensor(inputs[0]):
        return True
    return isinstance(inputs[0], Mapping | list) and all(map(_is_tensor, parts))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__"


def _plain_call(inputs: Any) -> dict[str, Any]:
    """The record of a call on one tensor, or on a flat list or dict of them."""
    found = _mapped(inputs[0] if len(inputs) == 1 else inputs, list)
    single = isinstance(found, list) and isinstance(found[0], str)
    return {"inputs": [found] if single else found}


def _structured_call(
    name: str, node: Any, inputs: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    """The record of a call with several arguments (see `symbolic.arguments`)."""
    if not isinstance(node, Mapping):
        raise ModelFileError(
            f"Layer '{name}' is called with {', '.join(sorted(named))} in a file of Keras 2; only "
            "files of Keras 3 may have further arguments. Save it with Keras 3."
        )
    tensors: list[Reference] = []
    first, *positional = (_pattern(part, tensors) for part in inputs)
    given = {key: _pattern(part, tensors) for key, part in named.items()}
    return {"inputs": tensors, "arguments": [first, {"dict": given}, positional]}


def _pattern(value: Any, tensors: list[Reference]) -> Any:
    """An argument of a call as a pattern; the tensors in it are appended."""
    if _is_tensor(value):
        tensors.append(_mapped(value, list))
        return {"slot": len(tensors) - 1}
    if isinstance(value, list):
        return [_pattern(part, tensors) for part in value]
    if not isinstance(value, Mapping):
        return value
    kind, config = value.get("class_name"), value.get("config") or {}
    if kind == "__tuple__":
        return {"tuple": [_pattern(part, tensors) for part in value["items"]]}
    if kind == "__slice__":
        bounds = (config["start"], config["stop"], config["step"])
        return {"slice": [_pattern(bound, tensors) for bound in bounds]}
    if kind == "__ellipsis__":
        return {"ellipsis": True}
    if kind in {"__numpy__", "__tensor__"}:
        return {"array": config["value"], "dtype": config["dtype"]}
    return {"dict": {key: _pattern(part, tensors) for key, part in value.items()}}


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
