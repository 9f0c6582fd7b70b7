"""Calls of functions that have been expanded, noted in the graph: a gradient rule may know them.

A graph holds the note in its metadata, with the names of the values that a call took and gave. What
it gave comes out of a Sum of one input, and so does every float that it took: no pass takes that
for a copy, so that these values stay apart from all others until the graph is spliced.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import onnx
import onnx_ir as ir

from seqonnx.graph.reading import is_op

_NOTE = "seqonnx.calls"


@dataclass(frozen=True)
class FunctionCall:
    """A call of a function whose body stands in the graph.

    Args:
        domain: the function's domain.
        name: its name.
        attributes: what the call gave it.
        inputs: values that it took; None for one that was left out.
        outputs: values that it gave; None for one that is not there any more.
    """

    domain: str
    name: str
    attributes: Sequence[ir.Attr]
    inputs: Sequence[ir.Value | None]
    outputs: Sequence[ir.Value | None]


def note_calls(graph: ir.Graph, calls: Sequence[FunctionCall]) -> None:
    """Note calls in a graph that has their values."""
    held = onnx.GraphProto()
    for call in calls:
        node = held.node.add(domain=call.domain, op_type=call.name)
        node.input.extend(_name(value) for value in call.inputs)
        node.output.extend(_name(value) for value in call.outputs)
        node.attribute.extend(ir.serde.serialize_attribute(attr) for attr in call.attributes)
    graph.metadata_props[_NOTE] = base64.b64encode(held.SerializeToString()).decode("ascii")


def noted_calls(graph: ir.Graph) -> list[FunctionCall]:
    """Return the calls that are noted in a graph, with its values.

    Calls that have become constants are left out.

    Raises:
        ValueError: if the note is damaged.
    """
    note = graph.metadata_props.get(_NOTE)
    if note is None:
        return []
    try:
        held = onnx.GraphProto.FromString(base64.b64decode(note, validate=True))
    except Exception as error:
        raise ValueError(f"the note of its function calls is damaged: {error}") from error
    values = _by_name(graph)
    calls = [
        FunctionCall(
            node.domain,
            node.op_type,
            [ir.serde.deserialize_attribute(attribute) for attribute in node.attribute],
            [values.get(name) for name in node.input],
            [values.get(name) for name in node.output],
        )
        for node in held.node
    ]
    return [call for call in calls if any(v is not None and v.producer() for v in call.outputs)]


def without_sums(call: FunctionCall) -> FunctionCall:
    """Remove the Sums around a call, now that no pass will put its values together; return it.

    Behind what it gave an Identity stays, so that all others read that.
    """
    inputs = [None if value is None else _root(value) for value in call.inputs]
    for old, new in zip(call.inputs, inputs, strict=True):
        if old is not None and new is not None and old is not new:
            _bypass(old, new)
    for node in exits_of([call]):
        if _is_sum(node):
            node.op_type = "Identity"
    return replace(call, inputs=inputs)


def exits_of(calls: Sequence[FunctionCall]) -> set[ir.Node]:
    """Return the nodes that others read the outputs of calls behind: no pass may move anything by.

    Args:
        calls: calls whose exits stay.
    """
    values = [value for call in calls for value in call.outputs if value is not None]
    return {node for value in values if (node := value.producer()) is not None}


def forget_calls(graph: ir.Graph, calls: list[FunctionCall]) -> None:
    """Remove what stands behind calls for the sake of gradients, in place.

    Args:
        graph: the graph.
        calls: its calls; none are left.
    """
    for node in exits_of(calls):
        if is_op(node, "Identity") and node.graph is graph and node.inputs[0] is not None:
            _bypass(node.outputs[0], node.inputs[0])
    calls.clear()


def _bypass(value: ir.Value, source: ir.Value) -> None:
    """Let all that read a copy read its source."""
    node = value.producer()
    if node is not None and node.graph is not None:
        ir.convenience.replace_all_uses_with(value, source, replace_graph_outputs=True)
        node.graph.remove(node, safe=True)


def _root(value: ir.Value) -> ir.Value:
    """Where a value comes from, behind Sums of one input."""
    node = value.producer()
    while node is not None and _is_sum(node) and node.inputs[0] is not None:
        value = node.inputs[0]
        node = value.producer()
    return value


def _is_sum(node: ir.Node) -> bool:
    return is_op(node, "Sum") and len(node.inputs) == 1


def _by_name(graph: ir.Graph) -> Mapping[str, ir.Value]:
    """The values of a graph without its bodies."""
    made = [value for node in graph for value in node.outputs]
    return {_name(v): v for v in (*graph.inputs, *graph.initializers.values(), *made) if v.name}


def _name(value: ir.Value | None) -> str:
    return "" if value is None else str(value.name)
