"""Models in the language of Graphviz."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

from seqonnx.report.plot.graph import PlotGroup, PlotLayer, Port


class DotStyle(NamedTuple):
    """Attributes of the graph: see `model_to_dot`."""

    rankdir: str
    dpi: float
    splines: str


class DotGraph:
    """A graph in Graphviz's language; `to_string` gives the text.

    `pydot.graph_from_dot_data(dot.to_string())` makes pydot's object of it.

    Args:
        graph: the layers.
        style: attributes of the graph.
        subgraph: whether it is a cluster, to stand in another graph.
    """

    def __init__(self, graph: PlotGroup, style: DotStyle, subgraph: bool) -> None:
        self._graph, self._style, self._subgraph = graph, style, subgraph

    def to_string(self) -> str:
        """Return the text."""
        if self._subgraph:
            lines = [*_cluster(self._graph, self._graph.label, self._graph.label, "")]
            return "\n".join(lines) + "\n"
        style = self._style
        lines = [
            "digraph model {",
            f"  graph [rankdir={style.rankdir}, dpi={style.dpi:g}, splines={style.splines}, "
            "concentrate=true];",
            '  node [shape=plaintext, fontname="Helvetica", margin=0];',
            *_statements(self._graph, "  "),
            "}",
        ]
        return "\n".join(lines) + "\n"

    def __str__(self) -> str:
        return self.to_string()

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the text to a file.

        Args:
            path: the file.
        """
        Path(path).write_text(self.to_string(), "utf-8")


def _statements(graph: PlotGroup, indent: str) -> Iterator[str]:
    """Nodes and clusters, and then the edges between them."""
    for part in graph.parts:
        if isinstance(part, PlotGroup):
            yield from _cluster(part, part.key, part.label, indent)
        else:
            yield f"{indent}{_quoted(part.key)} [label=<{_label(part)}>];"
    parts = {part.key: part for part in graph.parts}
    for source, target in graph.edges:
        for begin in _exits(parts[source.key], source):
            for end in _entries(parts[target.key], target):
                yield f"{indent}{_quoted(begin)} -> {_quoted(end)};"


def _cluster(graph: PlotGroup, key: str, label: str, indent: str) -> Iterator[str]:
    yield f"{indent}subgraph {_quoted('cluster_' + key)} {{"
    yield f"{indent}  label={_quoted(label)}; labeljust=l; style=dashed;"
    yield from _statements(graph, indent + "  ")
    yield f"{indent}}}"


def _entries(part: PlotLayer | PlotGroup, port: Port) -> list[str]:
    """The layers that take an input of a part."""
    if isinstance(part, PlotLayer):
        return [part.key]
    parts = {inner.key: inner for inner in part.parts}
    return [key for inner in part.entries[port.number] for key in _entries(parts[inner.key], inner)]


def _exits(part: PlotLayer | PlotGroup, port: Port) -> list[str]:
    """The layer that gives an output of a part."""
    if isinstance(part, PlotLayer):
        return [part.key]
    inner = part.exits[port.number]
    if inner is None:
        return []
    return _exits({each.key: each for each in part.parts}[inner.key], inner)


def _label(layer: PlotLayer) -> str:
    """A table as Graphviz draws it."""
    class_name = f" ({escape(layer.class_name)})" if layer.class_name else ""
    colour = "#5f7590" if layer.is_input else "#2f3e55"
    rows = [
        f'<tr><td bgcolor="{colour}"><font color="white"><b>{escape(layer.title)}</b>'
        f"{class_name}</font></td></tr>"
    ]
    rows += [
        f'<tr><td align="left">{escape(word)}: <b>{escape(told)}</b></td></tr>'
        for word, told in layer.facts
    ]
    if layer.trained is not None:
        fill, word = ("#2e7d46", "Trainable") if layer.trained else ("#b03a3a", "Non-trainable")
        rows.append(f'<tr><td bgcolor="{fill}"><font color="white">{word}</font></td></tr>')
    table = '<table border="0" cellborder="1" cellspacing="0" cellpadding="6">'
    return f"{table}{''.join(rows)}</table>"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
