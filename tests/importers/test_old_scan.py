"""The Scan of operator set 8 means something that no later one does."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from seqonnx.errors import ModelFileError
from seqonnx.importers.onnx.importing import import_graph


def scan(version):
    """Running sums over time; before set 9 the first axis of everything is a batch."""

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    body = helper.make_graph(
        [helper.make_node("Add", ["sum", "now"], ["next"])],
        "body",
        [value("sum", [2]), value("now", [2])],
        [value("next", [2])],
    )
    batch, lengths = ([1], [""]) if version < 9 else ([], [])
    node = helper.make_node("Scan", [*lengths, "start", "x"], ["y"], num_scan_inputs=1, body=body)
    graph = helper.make_graph(
        [node],
        "sums",
        [value("start", [*batch, 2]), value("x", [*batch, 3, 2])],
        [value("y", [*batch, 2])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])


def test_scan_with_a_batch_axis_is_refused_rather_than_changed():
    with pytest.raises(ModelFileError) as error:
        import_graph(scan(8))
    assert str(error.value) == (
        "the model uses the Scan of operator set 8, which goes over a batch as well as over time; "
        "no later Scan means the same. Export the model with operator set 9 or newer."
    )


def test_scan_without_a_batch_axis_is_taken():
    assert [node.op_type for node in import_graph(scan(9))] == ["Scan"]
