"""The layers of a model and their connections, as records that can be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from seqonnx.catalogue import saved_name
from seqonnx.layers.base import Layer
from seqonnx.layers.core.input import InputLayer
from seqonnx.layers.network import Network
from seqonnx.symbolic import SymbolicTensor
from seqonnx.symbolic.structure import unwrap


class PlotOptions(NamedTuple):
    """The choice of what is said of each layer; see `plot_model`."""

    shapes: bool = False
    dtype: bool = False
    names: bool = True
    expand_nested: bool = False
    activations: bool = False
    trainable: bool = False


@dataclass(frozen=True)
class PlotLayer:
    """A layer as it is drawn.

    Args:
        key: unique name.
        title: its name, or its class where names are not shown.
        class_name: its class; empty where it is the title.
        facts: lines below the title: pairs of a word and what it says.
        trained: whether training changes its weights; None if that is not shown.
        is_input: whether it stands for an input of the model.
    """

    key: str
    title: str
    class_name: str
    facts: tuple[tuple[str, str], ...]
    trained: bool | None
    is_input: bool


class Port(NamedTuple):
    """An end of a connection.

    Args:
        key: of a layer or a group.
        number: of the input or output of the group; 0 for layers.
    """

    key: str
    number: int


@dataclass(frozen=True)
class PlotGroup:
    """A model as it is drawn: its layers, the models inside, and the connections between them.

    Args:
        key: unique name.
        label: name of the model.
        parts: layers and groups in the order of the model.
        edges: connections between parts, from an output to an input.
        entries: for each input of the model the inputs of parts that take it.
        exits: for each output of the model the output of a part that gives it.
    """

    key: str
    label: str
    parts: tuple[PlotLayer | PlotGroup, ...]
    edges: tuple[tuple[Port, Port], ...]
    entries: tuple[tuple[Port, ...], ...]
    exits: tuple[Port | None, ...]


def plot_graph(model: Network, options: PlotOptions, key: str = "") -> PlotGroup:
    """Read the layers of a model.

    Args:
        model: a built model.
        options: what is said of each layer.
        key: prefix of the names of parts.
    """
    parts: list[PlotLayer | PlotGroup] = []
    for layer in model.layers:
        own = f"{key}/{layer.name}" if key else layer.name
        if options.expand_nested and isinstance(layer, Network) and layer.built:
            parts.append(plot_graph(layer, options, own))
        else:
            parts.append(_plot_layer(model, layer, options, own))
    keys = {id(layer): part.key for layer, part in zip(model.layers, parts, strict=True)}
    groups = {part.key for part in parts if isinstance(part, PlotGroup)}
    inputs = {id(layer.output): layer for layer in model.layers if isinstance(layer, InputLayer)}
    entries = {id(tensor) for tensor in model.inputs}

    def output(tensor: SymbolicTensor) -> Port | None:
        """The output of a part that a tensor is; None for an input that has no layer."""
        if id(tensor) in inputs:
            return Port(keys[id(inputs[id(tensor)])], 0)
        if id(tensor) in entries or tensor._call is None or id(tensor._call.layer) not in keys:
            return None
        name = keys[id(tensor._call.layer)]
        return Port(name, tensor._index if name in groups else 0)

    links = list(_links(model, keys, groups))
    edges = dict.fromkeys(
        (source, target) for tensor, target in links if (source := output(tensor)) is not None
    )
    return PlotGroup(
        key,
        model.name,
        tuple(parts),
        tuple(edges),
        tuple(_takers(tensor, output(tensor), links) for tensor in model.inputs),
        tuple(output(tensor) for tensor in model.outputs),
    )


def _links(
    model: Network, keys: dict[int, str], groups: set[str]
) -> Iterator[tuple[SymbolicTensor, Port]]:
    """Each tensor that a layer is called on, and the input that takes it."""
    for call in dict.fromkeys(call for call, _ in model._calls_inside):
        name = keys.get(id(call.layer))
        if name is None:  # a function of tensors in a subclassed model
            continue
        for index, tensor in enumerate(call.inputs):
            yield tensor, Port(name, index if name in groups else 0)


def _takers(
    tensor: SymbolicTensor, layer: Port | None, links: list[tuple[SymbolicTensor, Port]]
) -> tuple[Port, ...]:
    """The input layer of an input, or, in a model that lists none, whatever takes the input."""
    if layer is not None:
        return (layer,)
    return tuple(dict.fromkeys(port for each, port in links if each is tensor))


def _plot_layer(model: Network, layer: Layer, options: PlotOptions, key: str) -> PlotLayer:
    class_name = saved_name(type(layer))
    outputs = _last_call(model._outputs_of(layer))
    facts = []
    activation = getattr(layer, "activation", None)
    if options.activations and activation is not None:
        facts.append(("Activation", _activation_name(activation)))
    if options.shapes and not isinstance(layer, InputLayer):
        inputs = outputs[0]._call.inputs if outputs and outputs[0]._call is not None else ()
        facts.append(("Input shape", _told([tensor.shape for tensor in inputs])))
    if options.shapes:
        facts.append(("Output shape", _told([tensor.shape for tensor in outputs])))
    if options.dtype:
        facts.append(("Output dtype", _told([tensor.dtype for tensor in outputs])))
    weights = layer.weights if options.trainable and layer.built else []
    return PlotLayer(
        key=key,
        title=layer.name if options.names else class_name,
        class_name=class_name if options.names else "",
        facts=tuple(facts),
        trained=bool(layer.trainable) if len(weights) > 0 else None,
        is_input=isinstance(layer, InputLayer),
    )


def _last_call(tensors: list[SymbolicTensor]) -> list[SymbolicTensor]:
    return [tensor for tensor in tensors if tensor._call is tensors[-1]._call]


def _told(values: list[Any]) -> str:
    return str(unwrap(values)) if values else "?"


def _activation_name(activation: Any) -> str:
    name = getattr(activation, "name", None) or getattr(activation, "__name__", None)
    return str(name or type(activation).__name__)
