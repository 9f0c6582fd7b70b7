"""Two files side by side, with the nodes that are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqonnx.graph.damage import reading
from seqonnx.report.collect import collect
from seqonnx.report.diff.graphs import DiffGraph, bodies_of, diff_graph
from seqonnx.report.diff.matching import Pairing, match
from seqonnx.report.read import read_model
from seqonnx.report.records import ModelReport
from seqonnx.report.shapes import feeds, inline

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Compared:
    """Two files side by side: their reports, their main graphs, and which nodes are the same.

    Args:
        reports: of both files, a row per node.
        graphs: the main graphs of both.
        bodies: pairs of bodies whose nodes are the same node.
        pairing: which nodes are the same.
    """

    reports: tuple[ModelReport, ModelReport]
    graphs: tuple[DiffGraph, DiffGraph]
    bodies: tuple[tuple[DiffGraph, DiffGraph], ...]
    pairing: Pairing


def paired_files(one: str | Path, two: str | Path, shapes: Shapes | None = None) -> Compared:
    """Read two files and pair their nodes; arguments and errors are those of `diff_files`."""
    first = collect(one, shapes, by_node=True)
    renamed = _renamed_inputs(first, two)
    others = {renamed.get(name, name): shape for name, shape in (shapes or {}).items()}
    reports = (first, collect(two, others, by_node=True))
    graphs = (_graph(one, reports[0]), _graph(two, reports[1]))
    pairing = Pairing()
    bodies: list[tuple[DiffGraph, DiffGraph]] = []
    pending = [graphs]
    while pending:
        left, right = pending.pop()
        with reading(f"{one} and {two}"):
            match(left, right, pairing)
        for node in left.nodes:
            other = pairing.other(node)
            if other is not None and len(node.row.body) > 0:
                pending += zip(bodies_of(node, left), bodies_of(other, right), strict=False)
        if (left, right) != graphs:
            bodies.append((left, right))
    return Compared(reports, graphs, tuple(bodies), pairing)


def _renamed_inputs(one: ModelReport, two: str | Path) -> dict[str, str]:
    """Return what the second file calls the inputs of the first, by their order."""
    names = [value.name for value in one.inputs]
    others = [value.name for value in feeds(read_model(two).model)]
    return {} if set(names) == set(others) else dict(zip(names, others, strict=False))


def _graph(path: str | Path, report: ModelReport) -> DiffGraph:
    """Take the main graph of a file apart; its functions are inlined, as in the report."""
    model = read_model(path).model
    inline(model)
    return diff_graph(model.graph, report.rows, Path(path))
