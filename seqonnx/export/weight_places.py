"""How weights stand in a file: as initializers, as Constant nodes, or as inputs with defaults."""

from __future__ import annotations

from collections.abc import Collection

import onnx
from onnx import helper

from seqonnx.export.options import ExportOptions


def place_weights(model: onnx.ModelProto, options: ExportOptions) -> onnx.ModelProto:
    """Put the weights of a model where `options.weights_as` says; the model is changed.

    Args:
        model: model with initializers.
        options: what was asked for.

    Returns:
        The same model.
    """
    if options.weights_as == "constant":
        _as_nodes(model.graph)
    elif options.weights_as == "input":
        _as_inputs(model.graph, options.weight_names)
    return model


def _as_nodes(graph: onnx.GraphProto) -> None:
    """Make a Constant node of each initializer, before the nodes that read it."""
    nodes = [
        helper.make_node("Constant", [], [tensor.name], name=tensor.name, value=tensor)
        for tensor in graph.initializer
    ]
    nodes += graph.node
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)


def _as_inputs(graph: onnx.GraphProto, weights: Collection[str]) -> None:
    """Declare each weight as an input, too, whose default it then is."""
    known = {value.name for value in graph.input}
    graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in graph.initializer
        if tensor.name in weights and tensor.name not in known
    )
