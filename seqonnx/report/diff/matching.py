"""Pair the nodes of two graphs by what they compute and where they stand, with names last.

Exporters number nodes anew when a layer is added, and two of them name the same model differently.
So the surest evidence goes first: equal with all around it, then equal to one side of it, then
near it; what is left goes by the neighbours that are paired, and only then by name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from seqonnx.report.diff.fingerprints import (
    Features,
    backward,
    contents,
    forms,
    forward,
    names,
    nearby,
    operators,
    weighted_contents,
)
from seqonnx.report.diff.graphs import DiffGraph, Origin, PairedNode

_Keys = Callable[[DiffGraph], Sequence[Hashable]]


def _both(own: Callable[[DiffGraph], Features]) -> _Keys:
    """Key of a node: all that leads to it, and all that it leads to."""
    return lambda graph: list(
        zip(forward(graph, own(graph)), backward(graph, own(graph)), strict=True)
    )


_EXACT: tuple[_Keys, ...] = (
    _both(contents),
    lambda graph: list(zip(_both(operators)(graph), contents(graph), strict=True)),
    _both(operators),
    lambda graph: forward(graph, contents(graph)),
    lambda graph: backward(graph, contents(graph)),
    weighted_contents,
)
_NEAR: tuple[_Keys, ...] = (
    lambda graph: forward(graph, forms(graph)),
    lambda graph: backward(graph, forms(graph)),
    lambda graph: nearby(graph, forms(graph), 3),
    lambda graph: nearby(graph, operators(graph), 2),
    lambda graph: nearby(graph, operators(graph), 1),
)


class Pairing:
    """The nodes of two files that are the same node; grows graph by graph, bodies last."""

    def __init__(self) -> None:
        self._others: dict[int, PairedNode] = {}
        self._taken: set[int] = set()

    def other(self, node: PairedNode) -> PairedNode | None:
        """Return what a node of the first file is in the second; None if it is not there."""
        return self._others.get(id(node))

    def is_taken(self, node: PairedNode) -> bool:
        """Whether a node of the second file is one of the first."""
        return id(node) in self._taken

    def is_free(self, node: PairedNode) -> bool:
        """Whether a node of the first file has not been found in the second."""
        return id(node) not in self._others

    def join(self, node: PairedNode, other: PairedNode) -> None:
        """Say that two nodes are the same."""
        self._others[id(node)] = other
        self._taken.add(id(other))

    def same(self, one: Origin | None, two: Origin | None) -> bool:
        """Whether two values are the same one; all stored tensors are, they are compared apart."""
        if one is None or two is None:
            return one is two
        if one.stored is not None or two.stored is not None:
            return one.stored is not None and two.stored is not None
        if one.node is None or two.node is None:
            alike = one.node is two.node and one.depth == two.depth
            return alike and one.number == two.number
        return self.other(one.node) is two.node and one.number == two.number


def match(one: DiffGraph, two: DiffGraph, pairing: Pairing) -> None:
    """Pair the nodes of two graphs.

    Args:
        one: a graph of the first file.
        two: the graph of the second file that takes its place.
        pairing: what is paired so far; it grows.
    """
    for keys in _EXACT:
        _join_equal(one, two, keys, pairing)
    _spread(one, two, contents, pairing)
    for keys in _NEAR:
        _join_equal(one, two, keys, pairing)
    for own in (forms, operators):
        _spread(one, two, own, pairing)
    _join_equal(one, two, names, pairing)
    _spread(one, two, operators, pairing)
    _join_replaced(one, two, pairing)


def _join_equal(one: DiffGraph, two: DiffGraph, keys: _Keys, pairing: Pairing) -> None:
    """Pair nodes of equal keys: those of one name first, the others in order if as many are left.

    Several nodes of one key are either interchangeable or told apart by a later key.
    """
    groups: dict[Hashable, tuple[list[PairedNode], list[PairedNode]]]
    groups = defaultdict(lambda: ([], []))
    if not any(pairing.is_free(node) for node in one.nodes):
        return
    for node, key in zip(one.nodes, keys(one), strict=True):
        if pairing.is_free(node):
            groups[key][0].append(node)
    for node, key in zip(two.nodes, keys(two), strict=True):
        if not pairing.is_taken(node):
            groups[key][1].append(node)
    for left, right in groups.values():
        if len(left) > 0 and len(right) > 0:
            _join_group(left, right, pairing)


def _join_group(left: list[PairedNode], right: list[PairedNode], pairing: Pairing) -> None:
    """Pair nodes of one key."""
    named = {node.row.name: node for node in right}
    for node in left:
        other = named.pop(node.row.name, None)
        if other is not None:
            pairing.join(node, other)
    rest = [node for node in left if pairing.is_free(node)]
    others = [node for node in right if not pairing.is_taken(node)]
    if len(rest) == len(others):
        for node, other in zip(rest, others, strict=True):
            pairing.join(node, other)


def _spread(
    one: DiffGraph, two: DiffGraph, own: Callable[[DiffGraph], Features], pairing: Pairing
) -> None:
    """Pair neighbours of paired nodes where one node each comes into question."""
    features, others = own(one), own(two)
    pending = [node for node in one.nodes if not pairing.is_free(node)]
    while pending:
        node = pending.pop()
        other = pairing.other(node)
        if other is None:
            continue
        for found, match_of in _neighbours(one, two, node, other):
            free = pairing.is_free(found) and not pairing.is_taken(match_of)
            if free and features[found.place] == others[match_of.place]:
                pairing.join(found, match_of)
                pending.append(found)


def _neighbours(
    one: DiffGraph, two: DiffGraph, node: PairedNode, other: PairedNode
) -> list[tuple[PairedNode, PairedNode]]:
    """Return the nodes before and after two paired ones that stand in the same place."""
    before = {index: (maker, number) for index, maker, number in two.makers(other)}
    found = [
        (maker, before[index][0])
        for index, maker, number in one.makers(node)
        if index in before and before[index][1] == number
    ]
    for number in range(min(len(node.proto.output), len(other.proto.output))):
        left = _by_use(one.readers.get((node.place, number), ()))
        right = _by_use(two.readers.get((other.place, number), ()))
        for use in left.keys() & right.keys():
            if len(left[use]) == len(right[use]) == 1:
                found.append((left[use][0], right[use][0]))
    return found


def _by_use(readers: Sequence[tuple[PairedNode, int]]) -> dict[Hashable, list[PairedNode]]:
    """Group the readers of a value by their operator and by which of its inputs it is."""
    groups: dict[Hashable, list[PairedNode]] = defaultdict(list)
    for node, index in readers:
        groups[node.proto.op_type, index].append(node)
    return groups


def _join_replaced(one: DiffGraph, two: DiffGraph, pairing: Pairing) -> None:
    """Pair a node with the one of another operator that stands between the same nodes."""
    images = {id(other): node for node in one.nodes if (other := pairing.other(node)) is not None}
    places: dict[Hashable, list[PairedNode]] = defaultdict(list)
    for node in two.nodes:
        if not pairing.is_taken(node):
            places[_place(two, node, lambda other: images.get(id(other)))].append(node)
    for node in one.nodes:
        if pairing.is_free(node):
            found = places.get(_place(one, node, lambda own: own if pairing.other(own) else None))
            if found is not None and len(found) == 1 and not pairing.is_taken(found[0]):
                pairing.join(node, found[0])


def _place(
    graph: DiffGraph, node: PairedNode, image: Callable[[PairedNode], PairedNode | None]
) -> Hashable:
    """Say where a node stands, by paired nodes of the first file; unlike any if one is not."""
    before: list[Hashable] = []
    for origin in graph.origins(node):
        if origin is None or origin.stored is not None:
            continue
        maker = origin.node if origin.depth == graph.depth else None
        found = None if maker is None else image(maker)
        if maker is not None and found is None:
            return id(node)
        before.append((found and id(found), origin.number, origin.depth))
    after: set[Hashable] = set()
    for number in range(len(node.proto.output)):
        for reader, index in graph.readers.get((node.place, number), ()):
            found = image(reader)
            if found is None:
                return id(node)
            after.add((id(found), number, index))
    return (*before, frozenset(after), graph.results_of(node))
