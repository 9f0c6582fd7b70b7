"""Graphs as a comparison sees them: nodes, where each input comes from, who reads each output.

Constants are no nodes here: whether a file keeps a number as an initializer or as a `Constant`
makes no difference to what it computes.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from seqonnx.graph.external import load_data
from seqonnx.report.read import stored_tensors, subgraphs
from seqonnx.report.records import Row


@dataclass(frozen=True, eq=False)
class StoredValue:
    """A tensor that a file stores; data beside the file are read when they are asked for."""

    tensor: onnx.TensorProto
    path: Path

    @property
    def array(self) -> npt.NDArray[np.generic]:
        """The elements; not kept, so that one weight at a time is in memory."""
        tensor = self.tensor
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            alone = onnx.ModelProto()
            alone.graph.initializer.append(tensor)
            load_data(alone, self.path)
            tensor = alone.graph.initializer[0]
        return numpy_helper.to_array(tensor)

    @cached_property
    def digest(self) -> Hashable:
        """Dtype, sizes and a hash of the elements."""
        array = self.array
        elements = repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
        return self.form, hash(elements)

    @property
    def form(self) -> Hashable:
        """Dtype and sizes."""
        return self.tensor.data_type, tuple(self.tensor.dims)


@dataclass(frozen=True, eq=False)
class PairedNode:
    """A node with its row in the report; `place` is its number in its graph."""

    place: int
    proto: onnx.NodeProto
    row: Row


class Origin(NamedTuple):
    """Where a value comes from: a node and the number of its output, an input, a stored tensor.

    Args:
        node: the node that makes it.
        stored: the tensor that it is.
        number: of the output of the node; else of the input of the graph.
        depth: of the graph that it belongs to, 0 for the main one.
    """

    node: PairedNode | None = None
    stored: StoredValue | None = None
    number: int = 0
    depth: int = 0


@dataclass(frozen=True, eq=False)
class DiffGraph:
    """A graph, main or body, with the values of those around it in `values`."""

    graph: onnx.GraphProto
    nodes: tuple[PairedNode, ...]
    values: ChainMap[str, Origin]
    depth: int
    path: Path
    readers: dict[tuple[int, int], list[tuple[PairedNode, int]]] = field(default_factory=dict)

    def origins(self, node: PairedNode) -> list[Origin | None]:
        """Where the inputs of a node come from; None for one that is left out."""
        return [self.values.get(name) for name in node.proto.input]

    def makers(self, node: PairedNode) -> Iterator[tuple[int, PairedNode, int]]:
        """Yield `(input, node, output)` for the inputs that nodes of this graph make."""
        for index, origin in enumerate(self.origins(node)):
            if origin is not None and origin.node is not None and origin.depth == self.depth:
                yield index, origin.node, origin.number

    def stored(self, node: PairedNode) -> list[tuple[int, StoredValue]]:
        """Return `(input, tensor)` for the inputs of a node that the file stores."""
        origins = enumerate(self.origins(node))
        return [(i, origin.stored) for i, origin in origins if origin and origin.stored]

    def results_of(self, node: PairedNode) -> tuple[tuple[int, int], ...]:
        """Return `(output of the node, output of the graph)` where they are the same value."""
        made = {name: number for number, name in enumerate(node.proto.output) if name}
        names = (value.name for value in self.graph.output)
        return tuple((made[name], index) for index, name in enumerate(names) if name in made)


def diff_graph(
    graph: onnx.GraphProto, rows: Sequence[Row], path: Path, outer: DiffGraph | None = None
) -> DiffGraph:
    """Take a graph apart.

    Args:
        graph: the graph, of an inlined model.
        rows: the row of each of its nodes, in their order.
        path: the file that it is from.
        outer: the graph that holds it, if it is a body.
    """
    depth = 0 if outer is None else outer.depth + 1
    around = ChainMap[str, Origin]() if outer is None else outer.values
    stored = {name: StoredValue(tensor, path) for name, tensor in stored_tensors(graph)}
    values = {name: Origin(stored=value, depth=depth) for name, value in stored.items()}
    fed = [value.name for value in graph.input if value.name not in stored]
    values |= {name: Origin(number=number, depth=depth) for number, name in enumerate(fed)}
    nodes: list[PairedNode] = []
    for proto, row in zip(graph.node, rows, strict=False):  # rows may end with unread weights
        if proto.op_type == "Constant" and all(name in stored for name in proto.output):
            continue
        node = PairedNode(len(nodes), proto, row)
        nodes.append(node)
        made = ((name, number) for number, name in enumerate(proto.output) if name)
        values |= {name: Origin(node, number=number, depth=depth) for name, number in made}
    found = DiffGraph(graph, tuple(nodes), around.new_child(values), depth, path)
    for node in nodes:
        for index, maker, number in found.makers(node):
            found.readers.setdefault((maker.place, number), []).append((node, index))
    return found


def bodies_of(node: PairedNode, outer: DiffGraph) -> list[DiffGraph]:
    """Take the bodies of an If, Loop or Scan apart, in their order."""
    rows, bodies = list(node.row.body), []
    for _, graph in subgraphs(node.proto):
        count = len(graph.node)
        bodies.append(diff_graph(graph, rows[:count], outer.path, outer))
        rows = rows[count:]
    return bodies
