"""The architecture of a model as plain values, and back: what is called on what, no weights.

The configuration of a graph of layers holds each layer with its calls (`inbound_nodes`); a tensor
is written `[name of the layer, number of its call in this model, number of the output]`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from seqonnx.catalogue import find, saved_name
from seqonnx.contexts import in_own_context
from seqonnx.layers.arguments import own_arguments
from seqonnx.layers.base import Layer
from seqonnx.layers.core.input import UNNAMED, InputLayer
from seqonnx.layers.core.operation import Operation
from seqonnx.layers.fake_quantization import round_layer
from seqonnx.layers.network import Network
from seqonnx.layers.quantizable import check_told
from seqonnx.layers.serialization import deserialize, serialize
from seqonnx.layers.shared_entries import collect_shared, find_shared, note_shared, number_of
from seqonnx.layers.sharing import number_shared
from seqonnx.structures import put_back, take_out
from seqonnx.symbolic import Arguments, LayerCall, SymbolicTensor
from seqonnx.symbolic.arguments import arguments_config, arguments_from
from seqonnx.symbolic.structure import Structure

QAT: Final = "int8 in training"
"""Says of a layer in a configuration that it is rounded to int8 while it trains."""

Reference = tuple[str, int, int]


def serialize_part(layer: Layer) -> dict[str, Any]:
    """Return a layer, a model or an input layer as plain values."""
    config = serialize(layer) | {"class_name": saved_name(type(layer))}
    check_told(layer, config)
    if isinstance(layer, InputLayer) and layer.output.name == UNNAMED:
        del config["config"]["name"]
    return config | ({"quantized": QAT} if layer._rounds else {}) | number_of(layer)


def network_class(class_name: str, custom: Mapping[str, Any]) -> type[Network] | None:
    """Return the class of models that a configuration names; None if it names none.

    Args:
        class_name: name in the configuration.
        custom: the user's own classes, by name; they come first.
    """
    found = find("model", class_name, custom)
    return found if isinstance(found, type) and issubclass(found, Network) else None


def deserialize_part(config: Mapping[str, Any], custom: Mapping[str, Any]) -> Layer:
    """Make what `serialize_part` was given; what models inside share, once.

    Raises:
        ValueError: if a class is not known.
    """
    layer: Layer | None = find_shared(config)
    if layer is None:
        layer = _deserialized(config, custom)
        note_shared(config, layer)
    return layer


def _deserialized(config: Mapping[str, Any], custom: Mapping[str, Any]) -> Layer:
    """Make what `serialize_part` was given, anew."""
    name = str(config["class_name"])
    if name == "InputLayer":
        return InputLayer(**config["config"])
    cls = network_class(name, custom)
    if cls is None:
        layer = deserialize(config, custom)
        layer._rounds = config.get("quantized") == QAT
        if layer._rounds and layer.built:  # one whose weights came with its file
            round_layer(layer)
        return layer
    return cls.from_config(dict(config["config"]), custom)


@in_own_context
def graph_config(model: Network) -> dict[str, Any]:
    """Return the graph of a model's layers as plain values.

    Returns:
        Entries `layers`, `input_layers` and `output_layers`.
    """
    number_shared(model)
    calls = numbered_calls(model)
    inputs = {id(x.output): [x.name, 0, 0] for x in model.layers if isinstance(x, InputLayer)}

    def refer(tensor: SymbolicTensor) -> list[Any]:
        if id(tensor) in inputs:
            return inputs[id(tensor)]
        assert tensor._call is not None
        return [tensor._call.layer.name, calls[tensor._call], tensor._index]

    entries = []
    for layer in model.layers:
        nodes = [
            {"inputs": [refer(t) for t in call.inputs]}
            | ({} if call.training is None else {"training": call.training})
            | ({} if call.arguments is None else {"arguments": _arguments(call.arguments)})
            for call in calls
            if call.layer is layer
        ]
        entries.append(serialize_part(layer) | {"name": layer.name, "inbound_nodes": nodes})
    return {
        "layers": entries,
        "input_layers": _mapped(model._structures()[0], refer),
        "output_layers": _mapped(model._structures()[1], refer),
        **_keys_config("input_keys", model._structures()[0]),
        **_keys_config("output_keys", model._structures()[1]),
    }


def subclass_config(model: Network, root: type) -> dict[str, Any]:
    """Return the arguments of a model's constructor: the configuration of a user's `call`.

    Args:
        model: a model whose user has written `call`.
        root: the class that it is a subclass of.
    """
    return {"name": model.name} | own_arguments(model, root)


@in_own_context
def connect_config(
    config: Mapping[str, Any], custom: Mapping[str, Any]
) -> tuple[Structure, Structure]:
    """Make the layers of a configuration and call them on each other.

    Args:
        config: from `graph_config`. A call may also name its inputs by the keys of a dict.
        custom: the user's own classes and functions, by name.

    Returns:
        Inputs and outputs of the model.

    Raises:
        ValueError: if a class is not known, or layers wait for each other.
    """
    collect_shared()
    tensors: dict[Reference, SymbolicTensor] = {}
    waiting: list[tuple[Layer, int, Mapping[str, Any]]] = []
    for entry in config["layers"]:
        layer = deserialize_part(entry, custom)
        layer.name = entry["name"]
        if isinstance(layer, InputLayer):
            tensors[layer.name, 0, 0] = layer.output
        waiting += [(layer, number, node) for number, node in enumerate(entry["inbound_nodes"])]
    while len(waiting) > 0:
        later = [item for item in waiting if not _call(*item, tensors)]
        if len(later) == len(waiting):
            raise ValueError(
                "The layers of the configuration are a cycle, or inputs are missing; these wait "
                f"for inputs that nothing gives: {sorted({layer.name for layer, _, _ in later})}."
            )
        waiting = later

    def find(reference: Any) -> SymbolicTensor:
        return tensors[_key(reference)]

    inputs, outputs = _mapped(config["input_layers"], find), _mapped(config["output_layers"], find)
    return (
        _with_keys(inputs, config.get("input_keys")),
        _with_keys(outputs, config.get("output_keys")),
    )


def _keys_config(name: str, structure: Any) -> dict[str, Any]:
    """The keys of a dict in their order, where it is not the sorted one: files sort all keys."""
    if not isinstance(structure, Mapping) or list(structure) == sorted(structure):
        return {}
    return {name: {"order": list(structure), "ordered": type(structure) is not dict}}


def _with_keys(structure: Any, keys: Mapping[str, Any] | None) -> Any:
    """A structure with its keys in the order that `_keys_config` has written."""
    if keys is None:
        return structure
    kind = OrderedDict if keys["ordered"] else dict
    return kind((key, structure[key]) for key in keys["order"])


def _call(
    layer: Layer,
    number: int,
    node: Mapping[str, Any],
    tensors: dict[Reference, SymbolicTensor],
) -> bool:
    """Call a layer if its inputs are there and earlier calls are made; returns whether it was."""
    given = node["inputs"]
    keys = [_key(each) for each in (given.values() if isinstance(given, Mapping) else given)]
    earlier = number == 0 or (layer.name, number - 1, 0) in tensors
    if not earlier or not all(key in tensors for key in keys):
        return False
    inputs: Any = [tensors[key] for key in keys]
    named: dict[str, Any] = {}
    positional: list[Any] = []
    if "arguments" in node:
        patterns = [arguments_from(part) for part in node["arguments"]]
        inputs, named, *more = (put_back(pattern, inputs) for pattern in patterns)
        positional = more[0] if len(more) > 0 else []
    elif isinstance(given, Mapping):
        inputs = dict(zip(given, inputs, strict=True))
    elif len(inputs) == 1 and not layer._takes_list:
        (inputs,) = inputs
    if isinstance(layer, Operation):
        result = layer.record(inputs)
    else:
        try:
            result = layer(inputs, *positional, training=node.get("training"), **named)
        except TypeError as error:  # an argument that its `call` does not have
            raise ValueError(str(error)) from error
    outputs: list[SymbolicTensor] = []
    take_out(result, lambda part: isinstance(part, SymbolicTensor), outputs)
    for index, tensor in enumerate(outputs):
        tensors[layer.name, number, index] = tensor
    return True


def _arguments(arguments: Arguments) -> list[Any]:
    """The first argument of a call and the named ones, as plain values."""
    return [arguments_config(arguments.first), arguments_config(arguments.named)]


def numbered_calls(model: Network) -> dict[LayerCall, int]:
    """Calls inside a model with their numbers among those of their layer, in order."""
    calls = list(dict.fromkeys(call for call, _ in model._calls_inside))
    counts: dict[int, int] = {}
    numbered: dict[LayerCall, int] = {}
    for call in sorted(calls, key=lambda c: c.index):
        numbered[call] = counts.get(id(call.layer), 0)
        counts[id(call.layer)] = numbered[call] + 1
    return numbered


def _key(reference: Any) -> Reference:
    name, number, index = reference
    return str(name), int(number), int(index)


def _mapped(structure: Any, function: Callable[[Any], Any]) -> Any:
    """A structure with each tensor or reference in it replaced."""
    if isinstance(structure, Mapping):
        return {key: function(item) for key, item in structure.items()}
    single = isinstance(structure, SymbolicTensor) or isinstance(structure[0], str)
    return function(structure) if single else [function(item) for item in structure]
