"""Fingerprints of nodes: equal where nodes, and what leads to or from them, are equal.

As in the test for isomorphism of Weisfeiler and Leman (1968), a node's fingerprint is a hash of its
own features and those of its neighbours, here along the edges in one direction to the end, or in
both for some rounds. No name goes into one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import onnx

from seqonnx.report.diff.graphs import DiffGraph, PairedNode
from seqonnx.report.read import subgraphs

Features = Sequence[Hashable]


def operators(graph: DiffGraph) -> Features:
    """The operator of each node, and those in its bodies."""
    return [_operator(node) for node in graph.nodes]


def forms(graph: DiffGraph) -> Features:
    """The operator of each node, with dtype and sizes of the stored tensors that it reads."""
    return [
        (_operator(node), *((index, value.form) for index, value in graph.stored(node)))
        for node in graph.nodes
    ]


def contents(graph: DiffGraph) -> Features:
    """The operator of each node, with its attributes and the elements of what it reads."""
    return [
        (
            _operator(node),
            *((index, value.digest) for index, value in graph.stored(node)),
            *sorted(a.SerializeToString(deterministic=True) for a in node.proto.attribute),
        )
        for node in graph.nodes
    ]


def weighted_contents(graph: DiffGraph) -> Features:
    """As `contents`, but of its own for a node that reads no stored tensor of rank 1 or more."""
    return [
        own if any(value.tensor.dims for _, value in graph.stored(node)) else (id(node), own)
        for node, own in zip(graph.nodes, contents(graph), strict=True)
    ]


def names(graph: DiffGraph) -> Features:
    """The operator and the name of each node; of its own for a node without one."""
    return [
        (node.proto.op_type, node.proto.name or id(node), node.proto.domain) for node in graph.nodes
    ]


def forward(graph: DiffGraph, own: Features) -> list[int]:
    """Hash each node with all that leads to it."""
    found: dict[int, int] = {}
    for node in graph.nodes:
        sources: list[Hashable] = []
        for origin in graph.origins(node):
            if origin is None or origin.stored is not None:
                sources.append(None)
            elif origin.node is None or origin.depth != graph.depth:
                sources.append((origin.number, graph.depth - origin.depth))
            else:
                sources.append((found.get(origin.node.place), origin.number))
        found[node.place] = hash((own[node.place], *sources))
    return [found[node.place] for node in graph.nodes]


def backward(graph: DiffGraph, own: Features) -> list[int]:
    """Hash each node with all that it leads to."""
    found: dict[int, int] = {}
    for node in reversed(graph.nodes):
        uses: list[int] = [hash(result) for result in graph.results_of(node)]
        for number in range(len(node.proto.output)):
            for reader, index in graph.readers.get((node.place, number), ()):
                uses.append(hash((found.get(reader.place), number, index)))
        found[node.place] = hash((own[node.place], *sorted(uses)))
    return [found[node.place] for node in graph.nodes]


def nearby(graph: DiffGraph, own: Features, rounds: int) -> list[int]:
    """Hash each node with those that are at most so many edges away."""
    found = [hash(feature) for feature in own]
    for _ in range(rounds):
        found = [_with_neighbours(graph, node, found) for node in graph.nodes]
    return found


def _with_neighbours(graph: DiffGraph, node: PairedNode, found: Sequence[int]) -> int:
    """Hash what is known of a node with what is known of its neighbours."""
    before = [(index, found[maker.place], number) for index, maker, number in graph.makers(node)]
    after = [
        (found[reader.place], number, index)
        for number in range(len(node.proto.output))
        for reader, index in graph.readers.get((node.place, number), ())
    ]
    return hash((found[node.place], *before, *sorted(after), *graph.results_of(node)))


def _operator(node: PairedNode) -> Hashable:
    """The operator of a node, and the operators in its bodies."""
    inner: list[str] = []
    pending: list[onnx.NodeProto] = [node.proto]
    while pending:
        for _, graph in subgraphs(pending.pop()):
            inner += [child.op_type for child in graph.node]
            pending += graph.node
    return (node.proto.domain.removeprefix("ai.onnx"), node.proto.op_type, *sorted(inner))
