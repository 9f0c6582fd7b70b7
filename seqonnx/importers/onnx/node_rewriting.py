"""Replacement of nodes in a GraphProto, and in all graphs within it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seqonnx.graph.reading import is_standard

Nodes = list[onnx.NodeProto] | None


class NotKnownError(LookupError):
    """Raised where a rewriting asks for a fact that is not known; the text names it."""


def rewrite_nodes(
    graph: onnx.GraphProto,
    rewrite: Callable[[onnx.NodeProto], Nodes],
    *,
    of_standard: bool = True,
) -> None:
    """Put other nodes in the place of some, in subgraphs too; None leaves a node.

    Args:
        graph: the graph; it is changed.
        rewrite: returns the nodes that take the place of one.
        of_standard: whether only nodes of the standard are asked for.
    """
    # From the inside outwards: putting nodes into a graph copies what is inside them.
    for current in reversed(list(graphs(graph))):
        asked = [node if is_standard(node) or not of_standard else None for node in current.node]
        made = [None if node is None else rewrite(node) for node in asked]
        if all(nodes is None for nodes in made):
            continue
        kept = onnx.GraphProto()
        for old, new in zip(current.node, made, strict=True):
            kept.node.extend([old] if new is None else new)
        del current.node[:]
        current.node.extend(kept.node)


class NewNodes:
    """Nodes in the making, named after the output of the one that they replace."""

    def __init__(self, output: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._base, self._last = f"{output}/as", output

    def __call__(self, op_type: str, *inputs: str, last: bool = False, **attributes: Any) -> str:
        """Add a node; returns the name of its output, the last one's that of the replaced node."""
        name = self._last if last else f"{self._base}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [name], name, **attributes))
        return name

    def integers(self, *numbers: int) -> str:
        """Add a constant vector of integers."""
        return self("Constant", value=numpy_helper.from_array(np.array(numbers, np.int64)))

    def number(self, value: int) -> str:
        """Add a constant integer."""
        return self("Constant", value=numpy_helper.from_array(np.array(value, np.int64)))

    def floats(self, numbers: Sequence[float]) -> str:
        """Add a constant vector of float32 numbers."""
        return self("Constant", value=numpy_helper.from_array(np.array(numbers, np.float32)))

    def float_like(self, number: float, like: str) -> str:
        """Add a number in the dtype of a tensor."""
        return self("CastLike", self("Constant", value_float=float(number)), like)


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and every graph within it, those outside first."""
    stack = [graph]
    while len(stack) > 0:
        current = stack.pop()
        yield current
        stack += [a.g for node in current.node for a in node.attribute if a.HasField("g")]


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """An attribute's value."""
    found = (a for a in node.attribute if a.name == name)
    return next((helper.get_attribute_value(a) for a in found), default)


def ranks_of(graph: onnx.GraphProto) -> dict[str, int]:
    """The number of axes of every tensor of which it is known."""
    found: dict[str, int] = {}
    for current in graphs(graph):
        for value in [*current.value_info, *current.input, *current.output]:
            if value.type.tensor_type.HasField("shape"):
                found[value.name] = len(value.type.tensor_type.shape.dim)
        found.update((tensor.name, len(tensor.dims)) for tensor in current.initializer)
    return found
