"""Text that fits: names cut at separators, long sums left to JSON, the width of a pipe."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from seqonnx.cli import main
from seqonnx.report.collect import collect, with_providers
from seqonnx.report.format import macs_text, shortened
from seqonnx.report.render import render_text
from seqonnx.report.serialize import plain

DEEP = "/model/encoder/layers.11/self_attn/q_proj/MatMul"


@pytest.fixture
def path(tmp_path):
    """A product of matrices under a long name, with four products of dimensions in its MACs."""
    nodes, outputs = [], []
    for index in range(4):
        nodes.append(
            helper.make_node("MatMul", [f"x{index}", f"w{index}"], [f"y{index}"], f"{DEEP}_{index}")
        )
        outputs.append(helper.make_tensor_value_info(f"y{index}", TensorProto.FLOAT, None))
    inputs = [
        helper.make_tensor_value_info(f"{name}{index}", TensorProto.FLOAT, shape)
        for index in range(4)
        for name, shape in (("x", [f"n{index}", 4]), ("w", [4, 3]))
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (48, DEEP),
        (47, "…/encoder/layers.11/self_attn/q_proj/MatMul"),
        (40, "…/layers.11/self_attn/q_proj/MatMul"),
        (34, "….11/self_attn/q_proj/MatMul"),
        (15, "…/q_proj/MatMul"),
        (14, "…/MatMul"),
        (8, "…/MatMul"),
        (3, "…/MatMul"),
    ],
)
def test_a_name_is_cut_from_the_left_at_a_separator(room, expected):
    assert shortened(DEEP, room) == expected


@pytest.mark.parametrize("name", ["onewordthatislong", "/onewordthatislong", ""])
def test_a_name_of_one_word_stays_whole(name):
    assert shortened(name, 5) == name


@pytest.mark.parametrize("width", [60, 80])
def test_names_in_the_table_are_whole_words(path, width):
    lines = render_text(collect(path), width=width).splitlines()
    assert max(map(len, lines)) <= width
    names = [line.split()[0] for line in lines if line.startswith("…")]
    assert len(names) == 4
    numbers = [line.split()[-1] for line in lines if line.startswith("…")]
    assert numbers == ["25.0"] * 4
    for index, name in enumerate(names):
        assert f"{DEEP}_{index}".endswith(name[1:])
        assert name[1] in "/."


def test_names_are_whole_where_nothing_limits_them(path):
    assert f"\n{DEEP}_0  MatMul" in render_text(collect(path))


def test_a_long_sum_is_a_number_in_text_and_a_formula_in_json(path):
    report = collect(path)
    at = "48 at n0 = 1, n1 = 1, n2 = 1, n3 = 1"
    assert macs_text(report.totals, report.sizes) == at
    assert plain(report)["totals"]["macs"] == "12 * n0 + 12 * n1 + 12 * n2 + 12 * n3"


def test_providers_are_named_by_their_device(path):
    names = ["CPUExecutionProvider", "CUDAExecutionProvider"]
    report = with_providers(collect(path), {f"{DEEP}_{i}": names[i % 2] for i in range(4)})
    text = render_text(report)
    assert "ExecutionProvider" not in text
    assert [line.split()[-1] for line in text.splitlines() if DEEP in line] == ["CPU", "CUDA"] * 2
    assert plain(report)["rows"][0]["provider"] == "CPUExecutionProvider"


@pytest.mark.parametrize(("columns", "limit"), [("60", 60), ("90", 90), ("", 1000), ("x", 1000)])
def test_a_pipe_has_the_columns_of_the_environment(path, columns, limit, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["inspect", str(path)]) == 0
    longest = max(len(line) for line in capsys.readouterr().out.splitlines())
    assert longest <= limit
    assert main(["inspect", str(path), "--width", "70"]) == 0
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 70
    if limit == 1000:
        assert longest > 90
