"""Initializers: the constants of a graph, by the names of their tensors."""

from __future__ import annotations

import onnx_ir as ir


def add_initializer(graph: ir.Graph, tensor: ir.TensorProtocol) -> ir.Value:
    """Add a constant to a graph.

    Args:
        graph: the graph.
        tensor: its elements, with a name that the graph does not have.

    Returns:
        The value that nodes read it by.
    """
    value = ir.Value(
        name=tensor.name,
        type=ir.TensorType(tensor.dtype),
        shape=ir.Shape(tensor.shape.numpy()),
        const_value=tensor,
    )
    graph.register_initializer(value)
    return value
