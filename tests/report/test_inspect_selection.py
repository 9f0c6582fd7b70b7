"""Rows that are shown: without constants, put together by scope, the largest first."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from seqonnx.cli import main
from seqonnx.report.collect import collect
from seqonnx.report.render import render_text
from seqonnx.report.selection import RowSelection


@pytest.fixture
def path(tmp_path):
    """Two blocks as PyTorch names them; the weight of the second is a Constant node's."""

    def weight(*shape):
        return numpy_helper.from_array(np.ones(shape, np.float32), "w")

    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "/layers.0/attn/MatMul"),
        helper.make_node("Relu", ["a"], ["b"], "/layers.0/act/Relu"),
        helper.make_node("Constant", [], ["k"], "/layers.1/Constant", value=weight(3, 10)),
        helper.make_node("MatMul", ["b", "k"], ["c"], "/layers.1/attn/MatMul"),
        helper.make_node("Relu", ["c"], ["y"], "/Relu"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, ["n", 4])],
        [value("y", TensorProto.FLOAT, ["n", 10])],
        [weight(4, 3)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def rows(report):
    return [(row.name, row.params, row.weight_bytes, row.macs_at) for row in report.rows]


def test_constants_have_no_rows_and_their_numbers_are_the_readers(path):
    report = RowSelection().of(collect(path))
    assert rows(report) == [
        ("/layers.0/attn/MatMul", 12, 48, 12),
        ("/layers.0/act/Relu", 0, 0, 0),
        ("/layers.1/attn/MatMul", 30, 120, 30),
        ("/Relu", 0, 0, 0),
    ]
    assert sum(row.params for row in report.rows) == report.totals.params == 42
    assert report.notes == ("1 Constant nodes have no rows; --all shows them.",)
    assert RowSelection(constants=True).of(collect(path)) == collect(path)


def test_constants_in_bodies_have_no_rows(tmp_path):
    value = helper.make_tensor_value_info
    number = numpy_helper.from_array(np.float32(2))
    body = helper.make_graph(
        [
            helper.make_node("Constant", [], ["two"], "two", value=number),
            helper.make_node("Mul", ["x", "two"], ["z"], "twice"),
        ],
        "body",
        [],
        [value("z", TensorProto.FLOAT, [2])],
    )
    node = helper.make_node("If", ["c"], ["y"], "if", then_branch=body, else_branch=body)
    inputs = [value("c", TensorProto.BOOL, []), value("x", TensorProto.FLOAT, [2])]
    graph = helper.make_graph([node], "g", inputs, [value("y", TensorProto.FLOAT, [2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    report = RowSelection().of(collect(tmp_path / "m.onnx"))
    assert [row.name for row in report.rows[0].body] == ["twice", "twice"]
    assert report.notes == ("2 Constant nodes have no rows; --all shows them.",)


def test_rows_of_a_scope_are_added_up(path):
    report = RowSelection(depth=1).of(collect(path))
    assert rows(report) == [
        ("layers.0", 12, 48, 12),
        ("/layers.1/attn/MatMul", 30, 120, 30),
        ("/Relu", 0, 0, 0),
    ]
    first = report.rows[0]
    assert (first.op_type, first.output_shape, first.dtype) == ("2 rows", ("n", 3), "float32")
    assert str(first.macs) == "12 * n"
    assert first.members == ("/layers.0/attn/MatMul", "/layers.0/act/Relu")
    deep = RowSelection(depth=2, constants=True).of(collect(path))
    assert [row.name for row in deep.rows] == [
        "/layers.0/attn/MatMul",
        "/layers.0/act/Relu",
        "/layers.1/Constant",
        "/layers.1/attn/MatMul",
        "/Relu",
    ]


@pytest.mark.parametrize("by", ["macs", "params", "bytes"])
def test_the_largest_rows_come_first(path, by):
    report = RowSelection(top=2, by=by).of(collect(path))
    assert [row.name for row in report.rows] == ["/layers.1/attn/MatMul", "/layers.0/attn/MatMul"]
    assert report.notes[-1] == f"The 2 of 4 rows with the most {by}."
    assert report.totals == collect(path).totals


def test_more_rows_than_there_are_is_all_in_order(path):
    assert RowSelection(top=4).of(collect(path)) == RowSelection().of(collect(path))


def test_the_command_selects(path, capsys):
    def names(*options):
        assert main(["inspect", str(path), *options]) == 0
        out = capsys.readouterr().out
        return [line.split()[0] for line in out.splitlines() if "MatMul" in line or "rows" in line]

    table = ["/layers.0/attn/MatMul", "/layers.1/attn/MatMul"]
    assert names()[:2] == table
    assert names("--top", "1", "--by", "params")[0] == table[1]
    assert names("--depth", "1")[0] == "layers.0"
    assert main(["inspect", str(path)]) == 0
    assert "/layers.1/Constant" not in capsys.readouterr().out
    assert main(["inspect", str(path), "--all"]) == 0
    assert "/layers.1/Constant" in capsys.readouterr().out


def test_json_has_constants_and_takes_the_rest(path, capsys):
    def rows_of(*options):
        assert main(["inspect", str(path), "--json", *options]) == 0
        return [row["name"] for row in json.loads(capsys.readouterr().out)["rows"]]

    assert "/layers.1/Constant" in rows_of()
    assert rows_of("--depth", "1") == ["layers.0", "layers.1", "/Relu"]
    assert rows_of("--top", "1") == ["/layers.1/attn/MatMul"]


@pytest.mark.parametrize("option", ["--depth", "--top"])
@pytest.mark.parametrize("number", ["0", "-1", "x"])
def test_a_count_below_one_is_refused(path, option, number, capsys):
    with pytest.raises(SystemExit):
        main(["inspect", str(path), f"{option}={number}"])
    assert f"expected a number from 1, received '{number}'" in capsys.readouterr().err


def test_a_selected_report_prints(path):
    assert "2 rows" in render_text(RowSelection(depth=1).of(collect(path)), width=80)
