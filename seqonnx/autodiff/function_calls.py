"""Functions whose bodies stand in a graph, differentiated as calls: by the rules that they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.function_calls import FunctionCall
from seqonnx.graph.reading import scope_of


@contextmanager
def functions_as_calls(op: Emitter) -> Iterator[Mapping[ir.Value, ir.Value]]:
    """Put calls in the place of the functions that the graph notes, for a walk backwards.

    Inside, what a function gave comes out of a node with its domain, name and attributes, so that
    gradients go by its rule. Afterwards it comes from the body again.

    Args:
        op: emitter of the graph.

    Yields:
        For what each function gave, the value that stands for it.
    """
    stood: list[tuple[ir.Node, dict[ir.Value, ir.Value]]] = []
    try:
        for call in reversed(op.calls):  # an outer function comes behind the inner ones
            node, values = _stand_in(op, call)
            stood.append((node, values))
        yield {value: stand for _, values in stood for value, stand in values.items()}
    finally:
        for node, values in reversed(stood):
            for value, stand in values.items():
                ir.convenience.replace_all_uses_with(stand, value, replace_graph_outputs=True)
            op.graph.remove(node)


def _stand_in(op: Emitter, call: FunctionCall) -> tuple[ir.Node, dict[ir.Value, ir.Value]]:
    """Make the node of a call, which others read in the place of the body."""
    made = {v.producer() for v in call.outputs if v is not None}
    last = [node for node in op.graph if node in made][-1]
    node = ir.Node(
        call.domain,
        call.name,
        call.inputs,
        call.attributes,
        num_outputs=len(call.outputs),
        name=f"{scope_of(last)}/{call.name}".lstrip("/"),
    )
    values = {}
    for value, stand in zip(call.outputs, node.outputs, strict=True):
        if value is not None:
            stand.type, stand.shape, stand.name = value.type, value.shape, f"{value.name}/call"
            ir.convenience.replace_all_uses_with(value, stand, replace_graph_outputs=False)
            values[value] = stand
    op.graph.insert_after(last, node)
    return node, values
