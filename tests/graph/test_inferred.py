"""Shape inference remembered for a kind of node is right for every node that is given it."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx.graph import Emitter, inferred
from seqonnx.graph.serde import to_bytes


def shape_of(value) -> list[int | str | None]:
    return [d if isinstance(d, int) else d.value for d in value.shape]


def two_reshapes() -> Emitter:
    op = Emitter()
    x = op.input("x", "float32", ("batch", 6))
    op.output(op.Reshape(x, [-1, 2, 3]), "y")
    op.output(op.Reshape(x, [-1, 3, 2]), "z")
    op.output(op.Relu(op.Transpose(x, perm=[1, 0])), "t")
    op.output(op.Relu(x), "r")
    return op


def test_constants_attributes_and_shapes_tell_kinds_apart():
    for _ in range(2):
        y, z, t, r = two_reshapes().graph.outputs
        assert shape_of(y)[1:] == [2, 3]
        assert shape_of(z)[1:] == [3, 2]
        assert shape_of(t) == [6, "batch"]
        assert shape_of(r) == ["batch", 6]


def test_a_graph_is_the_same_with_and_without_what_is_remembered():
    inferred._OUTPUTS.clear()
    first = to_bytes(two_reshapes().graph)
    assert len(inferred._OUTPUTS) > 0
    assert to_bytes(two_reshapes().graph) == first


def test_shapes_that_were_remembered_are_not_shared():
    first, second = two_reshapes(), two_reshapes()
    first.graph.outputs[0].shape[1] = 7
    first.graph.outputs[0].dtype = None
    assert shape_of(second.graph.outputs[0])[1:] == [2, 3]
    assert shape_of(two_reshapes().graph.outputs[0])[1:] == [2, 3]
    assert two_reshapes().graph.outputs[0].dtype is not None


def test_a_refused_node_is_refused_again():
    for _ in range(2):
        op = Emitter()
        x = op.input("x", "float32", (2, 3))
        with pytest.raises(ValueError, match="MatMul"):
            op.MatMul(x, op.input("w", "float32", (4, 5)))


def test_nodes_with_graphs_inside_are_inferred_each():
    op = Emitter()
    x = op.input("x", "float32", (2, 3))
    graph = Emitter()
    graph.output(graph.Identity(graph.constant(np.zeros(2, np.float32))), "y")
    node = op.Relu(x).producer()
    assert inferred.key_of(node) is not None
    y = op.If(op.constant(np.array(True)), then_branch=graph.graph, else_branch=graph.graph)
    assert inferred.key_of(y.producer()) is None
