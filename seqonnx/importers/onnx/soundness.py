"""Checks before anything follows the nodes of a model: it has no circles, and is finite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

import onnx

from seqonnx.errors import ModelFileError
from seqonnx.graph.reading import canonical_domain

MOST_NODES = 200_000
"""Most nodes that functions may expand to. The largest public models have a tenth of it."""
EXPANDED = 1 << 26
"""Bytes that functions may expand to, besides four times those of the file."""

MOST_AXES = 64
"""Most axes of a value, which is also NumPy's limit: inference copies the shape to every node."""

_LISTS = frozenset({"axes", "output_shape", "perm", "shape"})
"""Attributes with an entry per axis."""

_Key = TypeVar("_Key")
Nodes = Sequence[onnx.NodeProto]
_Call = tuple[str, str, str]


def refuse_unsound(model: onnx.ModelProto, name: str) -> None:
    """Raise a ModelFileError for a model that other readers hang on, or take for another one.

    Nodes and functions must not depend on themselves, functions must not expand without bounds,
    values must not have thousands of axes, and an Einsum must not have two ellipses in one term
    (ONNX's shape inference, and ONNX Runtime with it, never come back from that).

    Args:
        model: as it is in the file.
        name: what errors call the model.
    """
    _refuse_circular_functions(model, name)
    _refuse_axes_of(model.graph, name)
    bodies: list[tuple[str, Nodes]] = [("", model.graph.node)]
    bodies += [(f" in function '{f.name}'", f.node) for f in model.functions]
    for where, nodes in bodies:
        _refuse_circular_nodes(nodes, where, name)


def title_of(node: onnx.NodeProto) -> str:
    """Return what errors call a node: many have no name."""
    label = node.name or next((key for key in node.output if key), "")
    return f"{node.op_type} '{label}'"


def _refuse_circular_nodes(nodes: Nodes, where: str, name: str) -> None:
    """Look at the nodes of a graph and of the bodies inside it, the innermost first."""
    levels: list[tuple[Nodes, onnx.GraphProto | None]] = [(nodes, None)]
    for inner, _ in levels:
        levels += [(graph.node, graph) for node in inner for graph in _bodies(node)]
    free: dict[int, set[str]] = {}
    for inner, graph in reversed(levels):
        makers = {key: i for i, node in enumerate(inner) for key in node.output if key}
        uses = [_uses(node, free) for node in inner]
        needs = {i: {makers[key] for key in used if key in makers} for i, used in enumerate(uses)}
        circle = _circle(needs)
        if circle is not None:
            titles = ", ".join(title_of(inner[i]) for i in circle[:8])
            raise ModelFileError(
                f"{name} is damaged: these nodes{where} wait for each other: {titles}. A graph "
                "must not have cycles."
            )
        for node in inner:
            _refuse_attributes(node, where, name)
        if graph is not None:
            _refuse_axes_of(graph, name)
            own = {value.name for value in graph.input} | {t.name for t in graph.initializer}
            given = {value.name for value in graph.output}
            free[id(graph)] = set().union(given, *uses) - own - makers.keys()


def _uses(node: onnx.NodeProto, free: Mapping[int, set[str]]) -> set[str]:
    """Names that a node reads, also from inside its bodies."""
    return {key for key in node.input if key}.union(*(free[id(g)] for g in _bodies(node)))


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Graphs inside a node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _circle(needs: Mapping[_Key, set[_Key]]) -> list[_Key] | None:
    """Keys that need each other, each the next; None if there are none."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        found: list[_Key] = error.args[1][:-1]
        return found
    return None


def _refuse_attributes(node: onnx.NodeProto, where: str, name: str) -> None:
    """Refuse an Einsum that nothing comes back from, and lists of more axes than there are."""
    for attribute in node.attribute:
        if attribute.name in _LISTS and len(attribute.ints) > MOST_AXES:
            raise ModelFileError(
                f"{name} is refused: `{attribute.name}` of {title_of(node)}{where} has "
                f"{len(attribute.ints):,} entries; a value has at most {MOST_AXES} axes."
            )
        if node.op_type != "Einsum" or attribute.name != "equation":
            continue
        terms = attribute.s.replace(b"->", b",").split(b",")
        if any(term.count(b"...") > 1 for term in terms):
            equation = attribute.s[:100].decode("utf-8", "replace")
            raise ModelFileError(
                f"{name} is refused: {title_of(node)}{where} has more than one ellipsis in a term "
                f"of its equation {equation!r}; one is allowed."
            )


def _refuse_axes_of(graph: onnx.GraphProto, name: str) -> None:
    """Refuse declared values of more axes than there are."""
    shapes = [
        (value.name, len(value.type.tensor_type.shape.dim))
        for value in (*graph.input, *graph.output, *graph.value_info)
    ]
    shapes += [(tensor.name, len(tensor.dims)) for tensor in graph.initializer]
    for key, count in shapes:
        if count > MOST_AXES:
            raise ModelFileError(
                f"{name} is refused: '{key}' has {count:,} axes; a value has at most {MOST_AXES}."
            )


def _refuse_circular_functions(model: onnx.ModelProto, name: str) -> None:
    """Refuse functions that call themselves, or expand to more than anyone can hold."""
    functions = {_key(f.domain, f.name, f.overload): f for f in model.functions}
    calls = {key: list(_calls(function.node)) for key, function in functions.items()}
    needs = {key: {call for call in made if call in functions} for key, made in calls.items()}
    circle = _circle(needs)
    if circle is not None:
        raise ModelFileError(
            f"A function of {name} cannot be expanded: these call each other: "
            f"{', '.join(key[1] for key in circle[:8])}."
        )
    if len(functions) == 0:  # to learn the size of a proto, protobuf writes it
        return
    counts: dict[_Call, tuple[int, int]] = {}
    for key in TopologicalSorter(needs).static_order():
        counts[key] = _expanded(calls[key], counts, functions[key].ByteSize())
    nodes, size = _expanded(list(_calls(model.graph.node)), counts, model.graph.ByteSize())
    if nodes > MOST_NODES or size > EXPANDED + 4 * model.ByteSize():
        largest = max(counts, key=lambda key: counts[key][1])
        raise ModelFileError(
            f"{name} is refused: its functions expand to {nodes:,} nodes and {size:,} bytes "
            f"(function '{largest[1]}' alone to {counts[largest][0]:,} nodes); at most "
            f"{MOST_NODES:,} nodes are read."
        )


def _expanded(
    calls: Sequence[_Call], counts: Mapping[_Call, tuple[int, int]], size: int
) -> tuple[int, int]:
    """Nodes and bytes of what makes these calls once they are expanded."""
    inner = [counts[call] for call in calls if call in counts]
    nodes = len(calls) - len(inner) + sum(count for count, _ in inner)
    return nodes, size + sum(count for _, count in inner)


def _calls(nodes: Nodes) -> Iterator[_Call]:
    """The functions and operators that nodes call, also in bodies."""
    levels = [nodes]
    for inner in levels:
        for node in inner:
            yield _key(node.domain, node.op_type, node.overload)
            levels += [graph.node for graph in _bodies(node)]


def _key(domain: str, name: str, overload: str) -> _Call:
    return (canonical_domain(domain), name, overload)
