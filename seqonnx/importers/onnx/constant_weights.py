"""Weights that a file keeps in `Constant` nodes, as PaddlePaddle's exporter writes them.

Exporters write other numbers into such nodes, too: shapes, scales, initial states. A constant is a
weight where an operator takes what it has learned, as it is or through operators that only arrange
elements.

Other exporters make initializers of everything: PyTorch's newer one calls what it has computed
`val_N`, products of weights and plain numbers alike. Which of them are none is told here, too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import ml_dtypes
import numpy as np
import onnx_ir as ir

from seqonnx.graph.initializers import add_initializer

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

_COMPUTED: Final = re.compile(r"val_\d+")
"""Names that PyTorch's newer exporter gives to tensors that it has computed."""

_STATES: Final[Mapping[str, frozenset[int]]] = {
    "GRU": frozenset({5}),
    "LSTM": frozenset({5, 6}),
    "RNN": frozenset({5}),
}
"""Inputs that hold the states that recurrence begins with."""

_ADDS: Final = frozenset({"Add", "Attention", "Where"})
"""Operators that put a mask to scores."""

_SCALES: Final = frozenset({"Add", "Div", "Mul", "Pow", "Sub"})


def is_plain_number(value: ir.Value) -> bool:
    """Whether an initializer only says how to compute, and was not learned.

    Such are masks, which hold the lowest number of their dtype; states of zeros that recurrence
    begins with; and among what PyTorch's newer exporter has computed single factors, and the gains
    of 1 and shifts of 0 of a normalization by groups.

    Args:
        value: a floating-point initializer.
    """
    uses = [(node.op_type, index) for node, index in value.uses()]
    tensor = value.const_value
    if tensor is None or len(uses) == 0:
        return False
    if all(kind in _ADDS for kind, _ in uses) and _is_mask(tensor):
        return True
    if all(index in _STATES.get(kind, ()) for kind, index in uses):
        return not np.any(tensor.numpy())
    if _COMPUTED.fullmatch(str(value.name)) is None:
        return False
    if all(kind in _SCALES for kind, _ in uses):
        return tensor.size == 1
    return all(kind == "InstanceNormalization" for kind, _ in uses) and _is_uniform(tensor)


def _is_mask(tensor: ir.TensorProtocol) -> bool:
    """Whether a tensor holds minus infinity, or the lowest finite number instead."""
    array = tensor.numpy().astype(np.float64)
    finfo: Any = ml_dtypes.finfo
    lowest = float(finfo(tensor.dtype.numpy()).min)
    return bool(np.any(array <= 0.99 * lowest))


def _is_uniform(tensor: ir.TensorProtocol) -> bool:
    array = tensor.numpy()
    return bool(np.all(array == array.flat[0]))


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
        value.replace_all_uses_with(add_initializer(graph, lifted))
        owner.remove(node, safe=True)


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
    return not _is_uniform(tensor) and not _is_mask(tensor)


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
