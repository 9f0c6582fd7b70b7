"""Replacing a node by operators that compute the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.reading import scope_of


def replace_node(
    op: Emitter, node: ir.Node, compute: Callable[[Emitter, ir.Node], Sequence[ir.Value] | None]
) -> list[ir.Node] | None:
    """Put other operators in the place of a node; its outputs keep their names where they are the
    graph's. Returns the added nodes; None where the node stays.

    Args:
        op: emitter of the node's graph, or of the graph that its subgraph belongs to. Constants go
            in as arrays: an emitter on a graph that exists names no others safely.
        node: the node.
        compute: emits what takes the place of the outputs, in their order; or returns None, and
            the node stays.
    """
    graph = op.graph
    tail = next(reversed(graph))
    with op.scope(scope_of(node)):
        results = compute(op, node)
    if results is None:
        return None
    added = list(takewhile(lambda one: one is not tail, reversed(graph)))[::-1]
    home = graph if node.graph is None else node.graph
    graph.remove(added)
    home.insert_before(node, added)
    for old, new in zip(node.outputs, results, strict=False):
        if old.is_graph_output():
            new.name = old.name
        old.replace_all_uses_with(new, replace_graph_outputs=True)
    inputs = node.inputs
    home.remove(node, safe=True)
    _drop_unused(graph, inputs)
    return added


def _drop_unused(graph: ir.Graph, values: Sequence[ir.Value | None]) -> None:
    """Drop the constants that nothing uses any more."""
    for value in values:
        if value is None or value.is_graph_input() or len(value.uses()) > 0:
            continue
        graph.initializers.pop(str(value.name), None)
