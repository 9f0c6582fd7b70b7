"""`seqonnx.inspect`: the records of a file, a ModelProto and a model, and their forms."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

import seqonnx as keras
from seqonnx import layers
from seqonnx.cli import main
from seqonnx.errors import ModelFileError
from seqonnx.report import Inspection, Row, Tensor, Totals


def proto(rows=4):
    """A product of 4 x 3 after a bias; what comes after NonZero is not counted."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["a"], "product"),
            helper.make_node("Add", ["a", "b"], ["y"], "bias"),
            helper.make_node("Own", ["y"], ["z"], "own", domain="vendor"),
        ],
        "product and bias",
        [value("x", TensorProto.FLOAT, ["n", rows])],
        [value("y", TensorProto.FLOAT, ["n", 3])],
        [
            numpy_helper.from_array(np.ones((rows, 3), np.float32), "w"),
            numpy_helper.from_array(np.ones(3, np.float32), "b"),
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("vendor", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.fixture
def path(tmp_path):
    onnx.save(proto(), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_a_file_gives_typed_records(path):
    report = keras.inspect(path, {"x": (7, 4)})
    assert isinstance(report, Inspection)
    assert isinstance(report.totals, Totals)
    assert all(isinstance(row, Row) for row in report.rows)
    assert report.inputs == (Tensor("x", "float32", ("n", 4)),)
    found = [(row.name, row.output_shape, row.params, row.macs_at) for row in report.rows]
    assert found == [
        ("product", ("n", 3), 12, 7 * 4 * 3),
        ("bias", ("n", 3), 3, 0),
        ("own", None, 0, None),
    ]
    assert (report.totals.params, report.totals.macs_at) == (15, 84)
    assert keras.inspect(str(path)).totals.params == 15


def test_a_proto_gives_what_its_file_does_and_stays_as_it_is(path):
    model = proto(rows=2000)  # with a weight that is left out
    onnx.save(model, path)
    before = model.SerializeToString()
    report, file = keras.inspect(model), keras.inspect(path)
    assert model.SerializeToString() == before
    assert report.file == "product and bias"
    assert {**report.to_dict(), "file": ""} == {**file.to_dict(), "file": ""}
    assert report.totals.params == 6003


def test_external_data_of_a_proto_lie_in_the_working_directory(tmp_path, monkeypatch):
    model = proto()
    (weight, _) = model.graph.initializer
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="weights")
    monkeypatch.chdir(tmp_path)
    assert keras.inspect(model).notes == ("External data file 'weights' is missing.",)
    (tmp_path / "weights").write_bytes(bytes(48))
    assert keras.inspect(model).notes == ()
    assert keras.inspect(model).external_bytes == 48


def test_a_model_gives_a_row_per_layer_unless_nodes_are_asked_for():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="first"), layers.ReLU()])
    report = keras.inspect(model, {"input": (5, 4)})
    assert report.file == model.name
    assert [(row.layer, row.op_type, row.params) for row in report.rows] == [
        ("first", "Dense", 15),
        (model.layers[1].name, "ReLU", 0),
    ]
    assert report.totals.macs_at == 5 * 4 * 3
    nodes = keras.inspect(model, by_node=True).rows
    assert [(row.layer, row.op_type) for row in nodes] == [(None, "Gemm"), (None, "Relu")]


def test_the_dict_is_what_the_command_writes_as_json(path, capsys):
    main(["inspect", str(path), "--json"])
    assert json.loads(capsys.readouterr().out) == keras.inspect(path).to_dict()


def test_the_text_and_the_markdown_are_what_the_command_writes(path, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    report = keras.inspect(path)
    main(["inspect", str(path)])
    assert str(report) == capsys.readouterr().out
    main(["inspect", str(path), "--markdown"])
    assert report.to_markdown() == capsys.readouterr().out


def test_the_table_has_a_line_per_row_and_adds_up(path):
    table = keras.inspect(path, {"x": (7, 4)}).to_dataframe()
    assert list(table["name"]) == ["product", "bias", "own"]
    assert list(table["params"]) == [12, 3, 0]
    assert table["macs_at"][0] == 84
    assert table["macs_at"].isna().tolist() == [False, False, True]
    assert table["params"].sum() == 15
    assert table["params"].dtype == pd.Int64Dtype()
    assert table["output_shape"][0] == ["n", 3]


def test_the_table_of_a_model_without_rows_has_its_columns():
    graph = helper.make_graph([], "empty", [], [])
    table = keras.inspect(helper.make_model(graph)).to_dataframe()
    assert len(table) == 0
    assert "macs_at" in table.columns


def test_a_table_without_pandas_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="`to_dataframe` needs pandas: pip install pandas"):
        keras.inspect(path).to_dataframe()


@pytest.mark.parametrize("model", [None, 3, {"a": 1}])
def test_another_object_is_refused(model):
    with pytest.raises(TypeError, match=r"the path of an ONNX file, a ModelProto or a model") as e:
        keras.inspect(model)
    assert repr(model) in str(e.value)


def test_an_incomplete_proto_is_refused_by_its_name():
    with pytest.raises(ModelFileError, match="the model: not a complete ONNX model"):
        keras.inspect(onnx.ModelProto())
