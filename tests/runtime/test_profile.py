"""Profiles and placement: every node under the name that the graph gave it."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import helper

from seqonnx.errors import ExecutionError
from seqonnx.runtime import CPU, Session, placement

FEEDS = {
    "x": np.ones((2, 3), np.float32),
    "w": np.ones((3, 2), np.float32),
    "b": np.ones(2, np.float32),
}


def test_profile_has_a_record_for_every_executed_node(affine, tmp_path):
    trace = tmp_path / "trace.json"
    session = Session(affine, CPU, profile=trace)
    session.run(FEEDS)
    session.run(FEEDS)
    records = session.end_profile()
    assert [record.node for record in records] == ["dense/MatMul", "loss/ReduceSum"] * 2
    assert [record.op for record in records] == ["Gemm", "ReduceSum"] * 2
    assert {record.provider for record in records} == {"CPUExecutionProvider"}
    assert all(record.microseconds >= 0 for record in records)


def test_profile_leaves_its_trace_where_it_was_told(affine, tmp_path):
    trace = tmp_path / "trace.json"
    session = Session(affine, CPU, profile=trace)
    session.run(FEEDS)
    records = session.end_profile()
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]
    durations = [e["dur"] for e in json.loads(trace.read_text("utf-8")) if e["cat"] == "Node"]
    assert [record.microseconds for record in records] == durations


def test_profile_that_was_not_asked_for_is_an_error(affine):
    with pytest.raises(ValueError, match=r"graph 'eval': make the session with `profile=path`"):
        Session(affine, CPU, name="eval").end_profile()


def test_placement_tells_every_node_of_the_file(affine, tmp_path):
    expected = dict.fromkeys(
        ["dense/MatMul", "dense/Add", "loss/ReduceSum"], "CPUExecutionProvider"
    )
    assert placement(affine, CPU) == expected
    path = tmp_path / "affine.onnx"
    path.write_bytes(affine)
    assert placement(path, CPU) == expected


def test_placement_looks_into_branches_and_leaves_unnamed_nodes_out(make_model):
    info = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])

    def branch(op):
        return helper.make_graph(
            [helper.make_node(op, ["z"], ["y"], name=f"if/{op}")], op, [], [info]
        )

    model = make_model(
        [
            helper.make_node("Neg", ["x"], ["z"]),
            helper.make_node(
                "If", ["c"], ["out"], "if/If", then_branch=branch("Abs"), else_branch=branch("Exp")
            ),
        ],
        {"x": (onnx.TensorProto.FLOAT, [2]), "c": (onnx.TensorProto.BOOL, [])},
        {"out": (onnx.TensorProto.FLOAT, [2])},
    )
    assert placement(model, CPU).keys() == {"if/If", "if/Abs", "if/Exp"}


def test_placement_of_a_refused_graph_names_the_node(make_model):
    double = onnx.TensorProto.DOUBLE
    model = make_model(
        [helper.make_node("Erf", ["x"], ["y"], name="gelu/Erf")],
        {"x": (double, [2])},
        {"y": (double, [2])},
    )
    with pytest.raises(ExecutionError, match="'gelu/Erf'"):
        placement(model, CPU)
