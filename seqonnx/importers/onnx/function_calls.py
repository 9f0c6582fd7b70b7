"""Functions of a file whose gradient has a rule: where they were called is noted in its graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from seqonnx.errors import ModelFileError
from seqonnx.graph.floats import FLOATS
from seqonnx.graph.function_calls import FunctionCall, note_calls
from seqonnx.graph.reading import subgraphs_of

_MARK = "seqonnx.call"
"""Domain of the nodes that stand beside calls while functions are being expanded."""


def mark_calls(model: ir.Model, known: Callable[[str, str], bool]) -> None:
    """Put a mark beside every call of some functions, in place.

    A mark reads what the call takes and gives. Where calls stand in functions, marks are expanded
    with them, and get the values and attributes of that place.

    Args:
        model: model with functions.
        known: tells which functions are meant, by domain and name.
    """
    bodies = [model.graph, *(function.graph for function in model.functions.values())]
    for node in [node for body in bodies for node in body.all_nodes()]:
        if node.op_identifier() not in model.functions or not known(node.domain, node.op_type):
            continue
        taken = {"domain": node.domain, "takes": str(len(node.inputs))}
        values = [*node.inputs, *node.outputs]
        mark = ir.Node(_MARK, node.op_type, values, node.attributes.values(), metadata_props=taken)
        if node.graph is not None:
            node.graph.insert_after(node, mark)


def take_marks(graph: ir.Graph, title: str) -> list[FunctionCall]:
    """Remove the marks of a graph whose functions are expanded; return the calls that they tell of.

    Raises:
        ModelFileError: if one stands in a body of If, Loop or Scan.
    """
    calls = []
    for mark in [node for node in graph.all_nodes() if node.domain == _MARK]:
        domain, takes = mark.metadata_props["domain"], int(mark.metadata_props["takes"])
        if mark.graph is not graph:
            raise ModelFileError(
                f"{title} calls the function '{mark.op_type}' (domain '{domain}') in the body of "
                "an If, Loop or Scan. Training does not use the gradient rule that is registered "
                "for it there. Move the call out of the body, or read the file before the rule is "
                "registered, so that the function is differentiated as its nodes are."
            )
        values, attributes = list(mark.inputs), list(mark.attributes.values())
        calls.append(FunctionCall(domain, mark.op_type, attributes, values[:takes], values[takes:]))
        graph.remove(mark, safe=True)
    return calls


def keep_apart(graph: ir.Graph, calls: Sequence[FunctionCall]) -> None:
    """Note calls in a graph, and tell their floats apart from all others, in place.

    Args:
        graph: graph in the pinned operator set, with types inferred.
        calls: calls with values of these names, inner ones before the outer.
    """
    made = [value for node in graph for value in node.outputs]
    values = (*graph.inputs, *graph.initializers.values(), *made)
    known = {str(value.name): value for value in values}
    names = {*known, *(value.name for node in graph.all_nodes() for value in node.outputs)}
    noted = []
    for call in calls:
        taken = [None if value is None else known.get(str(value.name)) for value in call.inputs]
        given = [None if value is None else known.get(str(value.name)) for value in call.outputs]
        body = _nodes_before(given, taken)
        inputs = [None if value is None else _entrance(value, body, names) for value in taken]
        outputs = [None if value is None else _exit(value, names) for value in given]
        known.update({str(value.name): value for value in outputs if value is not None})
        noted.append(FunctionCall(call.domain, call.name, call.attributes, inputs, outputs))
    note_calls(graph, noted)


def _entrance(value: ir.Value, body: Sequence[ir.Node], names: set[str | None]) -> ir.Value:
    """The value that a body reads in the place of one that was computed for it."""
    node = value.producer()
    if node is None or value.dtype not in FLOATS:
        return value
    summed = _sum_behind(value, node)
    summed.name = _free_name(f"{value.name}/taken", names)
    for user in body:
        for index, read in enumerate(user.inputs):
            if read is value:
                user.replace_input_with(index, summed)
    return summed


def _exit(value: ir.Value, names: set[str | None]) -> ir.Value:
    """The value that others read in the place of one that a body gave; it has its name."""
    node = value.producer()
    if node is None or value.dtype not in FLOATS:
        return value
    summed = _sum_behind(value, node)
    summed.name, value.name = value.name, _free_name(f"{value.name}/given", names)
    reader = summed.producer()
    ir.convenience.replace_all_uses_with(value, summed, replace_graph_outputs=True)
    if reader is not None:
        reader.replace_input_with(0, value)
    return summed


def _sum_behind(value: ir.Value, node: ir.Node) -> ir.Value:
    """Put a Sum of one value behind the node that makes it."""
    reader = ir.Node("", "Sum", [value])
    if node.graph is not None:
        node.graph.insert_after(node, reader)
    summed = reader.outputs[0]
    summed.type, summed.shape = value.type, value.shape
    return summed


def _free_name(wanted: str, names: set[str | None]) -> str:
    """A name that no value has, and that is taken now."""
    name, number = wanted, 0
    while name in names:
        number += 1
        name = f"{wanted}_{number}"
    names.add(name)
    return name


def _nodes_before(
    values: Sequence[ir.Value | None], borders: Sequence[ir.Value | None]
) -> list[ir.Node]:
    """The nodes that compute values from what stands at the borders, those in bodies included."""
    found: dict[ir.Node, None] = {}
    stack = list(values)
    while stack:
        value = stack.pop()
        node = None if value is None or value in borders else value.producer()
        if node is None or node in found:
            continue
        inner = [read for body in subgraphs_of(node) for read in body.all_nodes()]
        found.update(dict.fromkeys([node, *inner]))
        stack.extend(read for reader in (node, *inner) for read in reader.inputs)
    return list(found)
