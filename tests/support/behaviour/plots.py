"""Pictures of models: what stands in the text for Graphviz, whatever it looks like."""

from __future__ import annotations

import re
import tempfile
from html import unescape
from pathlib import Path
from typing import Any

from support.behaviour.table import case

_NODE = re.compile(r'^\s*("[^"]*"|\w+) \[label=<(<table.*?</table>)>')
_EDGE = re.compile(r'^\s*("[^"]*"|\w+) (?:->|--) ("[^"]*"|\w+)')
_CELL = re.compile(r"<td[^>]*>(.*?)</td>")
_CLUSTER = re.compile(r'^\s*subgraph "?cluster_([^"\s]*)"? \{')
_SETTING = re.compile(r"\b(rankdir|dpi|splines|concentrate|style|labeljust)=(\w+)")


def structure(text: str) -> dict[str, Any]:
    """Frames with what stands in them, boxes with their texts, and arrows between boxes."""
    names: dict[str, str] = {}
    arrows: list[tuple[str, str]] = []
    root: dict[str, Any] = {"boxes": [], "frames": {}, "settings": {}}
    frames = [root]
    for line in text.splitlines():
        node, edge, cluster = _NODE.match(line), _EDGE.match(line), _CLUSTER.match(line)
        if node is not None:
            cells = [unescape(re.sub(r"<[^>]*>", "", each)) for each in _CELL.findall(node[2])]
            names[node[1]] = cells[0]
            frames[-1]["boxes"].append(cells)
        elif edge is not None:
            arrows.append((edge[1], edge[2]))
        elif cluster is not None:
            frames.append({"boxes": [], "frames": {}, "settings": {}})
            frames[-2]["frames"][cluster[1]] = frames[-1]
        elif line.strip() == "}":
            frames.pop()
        else:
            frames[-1]["settings"] |= dict(_SETTING.findall(line))
    return {**root, "arrows": sorted([names[a], names[b]] for a, b in arrows)}


def models(kit: Any) -> list[Any]:
    """A graph with models inside, a shared layer and functions of tensors; and a stack."""
    layers = kit.layers
    a, b = kit.Input((4,), name="a"), kit.Input((4,), name="b")
    stack = kit.Sequential(
        [
            kit.Input((4,)),
            layers.Dense(4, activation="relu", name="d1"),
            layers.Dense(3, name="d2"),
        ],
        name="stack",
    )
    x = kit.Input((4,), name="x")
    inner = kit.Model(
        x, [layers.Dense(3, name="p")(x), layers.Activation("tanh", name="q")(x)], name="inner"
    )
    shared = layers.Dense(3, name="shared", trainable=False)
    left, right = inner(b)
    total = layers.Add(name="add")([stack(a), shared(a), shared(right), left])
    outputs = {"sum": total, "other": layers.Concatenate(name="both")([left, right])}
    graph = kit.Model({"a": a, "b": b}, outputs, name="graph")
    outer = kit.Sequential([kit.Input((4,)), stack, layers.Dropout(0.5, name="drop")], name="outer")
    return [graph, outer]


FULL = {
    "show_shapes": True,
    "show_dtype": True,
    "show_layer_activations": True,
    "show_trainable": True,
}


@case("utils.model_to_dot")
def dot(kit: Any) -> Any:
    """The graph in Graphviz's language."""
    made = kit.utils.model_to_dot
    found = []
    for model in models(kit):
        found += [
            structure(made(model).to_string()),
            structure(made(model, **FULL).to_string()),
            structure(made(model, expand_nested=True, **FULL).to_string()),
            structure(made(model, rankdir="LR", dpi=96, splines="curved").to_string()),
            structure(made(model, subgraph=True, show_layer_names=False).to_string()),
        ]
    return found


@case("utils.plot_model")
def plot(kit: Any) -> Any:
    """The text in a file."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.dot"
        for model in models(kit):
            for options in ({}, {"show_layer_names": True, "expand_nested": True, **FULL}):
                kit.utils.plot_model(model, path, **options)
                found.append(structure(path.read_text("utf-8")))
    return found
