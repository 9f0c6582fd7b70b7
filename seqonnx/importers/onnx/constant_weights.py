"""Weights that a file keeps in `Constant` nodes, as PaddlePaddle's exporter writes them.

Exporters write other numbers into such nodes, too: shapes, scales, initial states. A constant is a
weight where an operator takes what it has learned, as it is or through operators that only arrange
elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx_ir as ir

_LEARNED: Final[Mapping[str, frozenset[int]]] = {
    "BatchNormalization": frozenset({1, 2, 3, 4}),
    "Conv": frozenset({1, 2}),
    "ConvTranspose": frozenset({1, 2}),
    "DeformConv": frozenset({1, 3}),
    "GRU": frozenset({1, 2, 3}),
    "Gather": frozenset({0}),
    "Gemm": frozenset({1, 2}),
    "GroupNormalization": frozenset({1, 2}),
    "LSTM": frozenset({1, 2, 3, 7}),
    "LayerNormalization": frozenset({1, 2}),
    "MatMul": frozenset({1}),
    "PRelu": frozenset({1}),
    "RMSNormalization": frozenset({1}),
    "RNN": frozenset({1, 2, 3}),
}
"""Inputs that hold what an operator has learned."""

_LEARNERS: Final = frozenset(
    {"Conv", "ConvInteger", "ConvTranspose", "GRU", "Gemm", "LSTM", "MatMulInteger", "QLinearConv",
     "QLinearMatMul", "RNN"}
)  # fmt: skip

_ALSO_NUMBERS: Final[Mapping[str, frozenset[int]]] = {
    "Add": frozenset({0, 1}),
    "Gemm": frozenset({0}),
    "InstanceNormalization": frozenset({1, 2}),
    "MatMul": frozenset({0}),
    "Mul": frozenset({0, 1}),
}
"""Inputs that hold what was learned, but also zeros to start from, and gains of 1."""

_ARRANGE: Final = frozenset(
    {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
)


def has_learned_inputs(graph: ir.Graph) -> bool:
    """Whether any operator of a graph is of a kind that has nothing but what it has learned."""
    return any(node.op_type in _LEARNERS for node in graph.all_nodes())


def lift_weights(graph: ir.Graph) -> None:
    """Make initializers of the Constant nodes that hold weights, in place.

    Those of subgraphs too; the initializers have the names of the outputs of the nodes.
    """
    for node in list(graph.all_nodes()):
        if node.op_type != "Constant" or len(node.outputs) != 1 or node.graph is None:
            continue
        value = node.outputs[0]
        tensor = None if value.is_graph_output() else _floats(node)
        if tensor is None or not _is_weight(value, tensor):
            continue
        owner = node.graph
        name = _free_name(graph, str(value.name))
        lifted = ir.Tensor(tensor.numpy(), dtype=tensor.dtype, name=name)
        weight = ir.Value(
            name=name,
            type=ir.TensorType(tensor.dtype),
            shape=ir.Shape(lifted.shape),
            const_value=lifted,
        )
        value.replace_all_uses_with(weight)
        owner.remove(node, safe=True)
        graph.register_initializer(weight)


def _floats(node: ir.Node) -> ir.TensorProtocol | None:
    """The tensor of a Constant node that may hold weights."""
    if "value" in node.attributes:
        return node.attributes["value"].as_tensor()
    if "value_floats" in node.attributes:
        return ir.Tensor(np.asarray(node.attributes["value_floats"].as_floats(), np.float32))
    return None


def _is_weight(value: ir.Value, tensor: ir.TensorProtocol) -> bool:
    """Whether a constant is something that was learned."""
    if not tensor.dtype.is_floating_point() or len(tensor.shape) == 0 or tensor.size == 0:
        return False
    uses = _uses(value)
    if any(index in _LEARNED.get(node.op_type, ()) for node, index in uses):
        return True
    if not any(index in _ALSO_NUMBERS.get(node.op_type, ()) for node, index in uses):
        return False
    array = tensor.numpy()
    return bool(np.any(array != array.flat[0]))


def _uses(value: ir.Value) -> list[tuple[ir.Node, int]]:
    """The inputs that a value gets to, as it is or arranged otherwise."""
    found: list[tuple[ir.Node, int]] = []
    stack = [value]
    while stack:
        for node, index in stack.pop().uses():
            if node.op_type in _ARRANGE and index == 0:
                stack.append(node.outputs[0])
            else:
                found.append((node, index))
    return found


def _free_name(graph: ir.Graph, name: str) -> str:
    """A name that no initializer has: bodies may use a name that the graph has too."""
    free, number = name, 0
    while free in graph.initializers:
        number += 1
        free = f"{name}_{number}"
    return free
