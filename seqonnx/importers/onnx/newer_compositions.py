"""Operators that came after the pinned operator set, composed of operators that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import onnx
from onnx import numpy_helper

from seqonnx.importers.onnx.node_rewriting import (
    NewNodes,
    Nodes,
    NotKnownError,
    attribute,
    graphs,
)

_HALVES: Final = frozenset({onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16})
_FLOATS: Final = _HALVES | {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE}


@dataclass(frozen=True)
class Around:
    """Facts about the tensors around a node.

    Args:
        types: types by name.
        ranks: numbers of axes by name.
        numbers: constant integers by name.
    """

    types: Mapping[str, onnx.TypeProto]
    ranks: Mapping[str, int]
    numbers: Mapping[str, int]

    def rank(self, name: str) -> int:
        """Return the number of axes of a tensor; a NotKnownError says that it is not known."""
        if name not in self.ranks:
            raise NotKnownError(f"the number of axes of '{name}'")
        return self.ranks[name]

    def dtype(self, name: str) -> int:
        """Return the dtype of a tensor; a NotKnownError says that it is not known."""
        kind = self.types[name].tensor_type.elem_type if name in self.types else 0
        if kind == 0:
            raise NotKnownError(f"the dtype of '{name}'")
        return int(kind)

    def number(self, name: str) -> int:
        """Return a constant integer; a NotKnownError says that it is none."""
        if name not in self.numbers:
            raise NotKnownError(f"the value of '{name}'")
        return self.numbers[name]


def axis_numbers(graph: onnx.GraphProto) -> dict[str, int]:
    """Return the single integers among the constants of a graph, by name."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for current in graphs(graph):
        for node in current.node:
            value = attribute(node, "value", None) if node.op_type == "Constant" else None
            if value is not None:
                tensors[node.output[0]] = value
            elif node.op_type == "Constant" and attribute(node, "value_int", None) is not None:
                tensors[node.output[0]] = onnx.helper.make_tensor(
                    "", onnx.TensorProto.INT64, (), [attribute(node, "value_int", 0)]
                )
    whole = {onnx.TensorProto.INT64, onnx.TensorProto.INT32}
    return {
        name: int(numpy_helper.to_array(tensor).reshape(-1)[0])
        for name, tensor in tensors.items()
        if tensor.data_type in whole and list(tensor.dims) in ([], [1])
    }


def _cumulative_product(node: onnx.NodeProto, around: Around) -> Nodes:
    """Products over the lower (or upper) triangle of the axis paired with itself.

    Unlike a product by logarithms it is right for zeros and negative numbers, and so is its
    gradient.
    """
    x, rank = node.input[0], around.rank(node.input[0])
    axis = around.number(node.input[1]) % rank
    made = NewNodes(node.output[0])
    to_last = [*(i for i in range(rank) if i != axis), axis]
    rows = made("Unsqueeze", made("Transpose", x, perm=to_last), made.integers(-2))
    length = made("Squeeze", made("Shape", x, start=axis, end=axis + 1))
    places = made("Range", made.number(0), length, made.number(1))
    own, other = (made("Unsqueeze", places, made.integers(i)) for i in (1, 0))
    before = "Less" if attribute(node, "exclusive", 0) else "LessOrEqual"
    pair = (own, other) if attribute(node, "reverse", 0) else (other, own)
    one = made("CastLike", made("Constant", value_float=1.0), x)
    factors = made("Where", made(before, *pair), rows, one)
    product = made("ReduceProd", factors, made.integers(-1), keepdims=0)
    back = [to_last.index(i) for i in range(rank)]
    made("Transpose", product, perm=back, last=True)
    return made.nodes


def _tensor_scatter(node: onnx.NodeProto, around: Around) -> Nodes:
    """Each place of the cache takes the element of the update that is written there, or its own."""
    cache, update = node.input[:2]
    rank = around.rank(cache)
    axis = attribute(node, "axis", -2) % rank
    made = NewNodes(node.output[0])
    room, count = (
        made("Squeeze", made("Shape", name, start=axis, end=axis + 1)) for name in (cache, update)
    )
    zero = made.number(0)
    steps = made("Unsqueeze", made("Range", zero, room, made.number(1)), made.integers(0))
    if len(node.input) > 2 and node.input[2]:
        starts = made("Cast", node.input[2], to=onnx.TensorProto.INT64)
        steps = made("Sub", steps, made("Unsqueeze", starts, made.integers(1)))
    if attribute(node, "mode", b"linear") == b"circular":
        steps = made("Mod", steps, room)
    inside = made("And", made("GreaterOrEqual", steps, zero), made("Less", steps, count))
    last = made("Sub", count, made.number(1))
    places = made("Max", made("Min", steps, last), zero)
    between = [i for i in range(rank) if i not in (0, axis)]
    shape = made("Shape", cache)
    wide = made("Expand", made("Unsqueeze", places, made.integers(*between)), shape)
    taken = made("GatherElements", update, wide, axis=axis)
    made("Where", made("Unsqueeze", inside, made.integers(*between)), taken, cache, last=True)
    return made.nodes


def _space_to_depth(node: onnx.NodeProto, around: Around) -> Nodes:
    """Channels in the other order are gathered out of those of the one mode that there was."""
    if attribute(node, "mode", b"DCR") == b"DCR":
        return None
    size = attribute(node, "blocksize", 1)
    made = NewNodes(node.output[0])
    blocks = made("SpaceToDepth", node.input[0], blocksize=size)
    total = made("Squeeze", made("Shape", blocks, start=1, end=2))
    order = made("Range", made.number(0), total, made.number(1))
    table = made("Reshape", order, made.integers(size * size, -1))
    flat = made("Reshape", made("Transpose", table, perm=[1, 0]), made.integers(-1))
    made("Gather", blocks, flat, axis=1, last=True)
    return made.nodes


def _modulo(node: onnx.NodeProto, around: Around) -> Nodes:
    """Floor modulo of floating-point numbers, which is new, by its formula."""
    a, b = node.input
    if attribute(node, "fmod", 0) == 1 or around.dtype(a) not in _FLOATS:
        return None
    made = NewNodes(node.output[0])
    made("Sub", a, made("Mul", made("Floor", made("Div", a, b)), b), last=True)
    return made.nodes


def _range(node: onnx.NodeProto, around: Around) -> Nodes:
    """A range of half precision is counted in the dtype that the node says."""
    kind = around.dtype(node.input[0])
    stash = attribute(node, "stash_type", 1)
    if kind not in _HALVES or stash == kind:
        del node.attribute[:]
        return None
    made = NewNodes(node.output[0])
    ends = [made("Cast", name, to=stash) for name in node.input]
    made("Cast", made("Range", *ends), to=kind, last=True)
    return made.nodes


COMPOSED: Final[Mapping[str, Callable[[onnx.NodeProto, Around], Nodes]]] = {
    "CumProd": _cumulative_product,
    "Mod": _modulo,
    "Range": _range,
    "SpaceToDepth": _space_to_depth,
    "TensorScatter": _tensor_scatter,
}
"""Compositions by the operator that they replace; None of one means that the node stays."""
