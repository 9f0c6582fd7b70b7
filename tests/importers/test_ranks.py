"""The number of axes of what a computed shape makes is known after an import."""

from __future__ import annotations

import onnx
import pytest

from seqonnx.graph import static_shape
from seqonnx.importers.onnx.importing import import_graph

HEADER = '<ir_version: 10, opset_import: ["" : 23]>\n'


@pytest.mark.parametrize(
    ("node", "rank"),
    [
        ("Reshape (x, three)", 3),
        ("Expand (x, three)", 3),
        ("Expand (x, one)", 2),
        ("Unsqueeze (x, three)", 5),
        ("Squeeze (x, one)", 1),
        ("Slice (x, one, one, one)", 2),
        ("ReduceSum <keepdims = 0> (x, one)", 1),
        ("ReduceSum <keepdims = 1> (x, one)", 2),
    ],
)
def test_an_import_knows_the_number_of_axes(node, rank):
    text = HEADER + (
        "agraph (float[4, 'n'] x, int64[3] three, int64[1] one) => (float y) {\n"
        f"    made = {node}\n    y = ReduceSum <keepdims = 0> (made)\n}}"
    ).replace("'n'", "n")
    graph = import_graph(onnx.parser.parse_model(text))
    made = next(value for n in graph for value in n.outputs if value.name == "made")
    assert len(static_shape(made)) == rank


def test_an_import_knows_the_number_of_axes_of_parts_and_of_what_follows():
    text = HEADER + (
        "agraph (float[4, 6] x, int64[2] sizes, int64[3] three) => (float[a, b, c] y) {\n"
        "    first, second = Split <axis = 1> (x, sizes)\n"
        "    joined = Concat <axis = 1> (second, first)\n"
        "    folded = Reshape (joined, three)\n"
        "    y = Transpose <perm = [2, 0, 1]> (folded)\n}"
    )
    graph = import_graph(onnx.parser.parse_model(text))
    ranks = {str(v.name): len(static_shape(v)) for node in graph for v in node.outputs}
    assert ranks == {"first": 2, "second": 2, "joined": 2, "folded": 3, "y": 3}
