"""Output of `seqonnx inspect`: text, JSON, CSV, Markdown, and what it never prints."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from seqonnx import __version__
from seqonnx.cli import main
from seqonnx.report.collect import collect, with_providers
from seqonnx.report.render import render_text
from seqonnx.report.serialize import to_csv, to_json, to_markdown

ROOT = Path(__file__).resolve().parents[2]
MNIST = ROOT.parent / "shared" / "data" / "onnx" / "mnist.onnx"
SECRET = 123.456

LAYERS = [
    {"name": "dense", "class_name": "Dense", "trainable": True, "output_shape": [None, 3]},
    {"name": "dropout", "class_name": "Dropout", "trainable": True, "output_shape": [None, 3]},
    {"name": "dense_1", "class_name": "Dense", "trainable": False, "output_shape": [None, 2]},
]


def weight(name, *shape):
    """An initializer of a value that must never show up."""
    return numpy_helper.from_array(np.full(shape, SECRET, np.float32), name)


@pytest.fixture
def path(tmp_path):
    """Two dense layers as seqonnx writes them; names carry signs that mean something elsewhere."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("MatMul", ["x", "dense/kernel"], ["a"], "dense/MatMul"),
        helper.make_node("Add", ["a", "dense/bias"], ["b|*_"], "dense/Add"),
        helper.make_node("MatMul", ["b|*_", "dense_1/kernel"], ["y"], "dense_1/MatMul"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, ["batch", 4])],
        [value("y", TensorProto.FLOAT, ["batch", 2])],
        [weight("dense/kernel", 4, 3), weight("dense/bias", 3), weight("dense_1/kernel", 3, 2)],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
        producer_name="seqonnx",
        producer_version="0.1.0",
    )
    metadata = {"seqonnx.layers": json.dumps(LAYERS), "author": "a\x1b[31mb", "long": "z" * 5000}
    helper.set_model_props(model, metadata)
    onnx.save(model, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


TEXT = """\
File             model.onnx (SIZE)
Producer         seqonnx 0.1.0
IR version       10
Opsets           ai.onnx 21
Metadata author  a\\x1b[31mb
Metadata long    LONG… (5,000 characters)

Inputs
  x  float32  (batch, 4)

Outputs
  y  float32  (batch, 2)

Layer         Class    Output shape  Type     Params  MACs     %
────────────────────────────────────────────────────────────────
dense         Dense    (None, 3)     float32      15    60  66.7
dropout       Dropout  (None, 3)                   0     0   0.0
dense_1       Dense    (None, 2)     float32       6    30  33.3
MACs at batch = 5

Total params      21 (84.00 B)
Total MACs        18 * batch  (90 at batch = 5)  [1 MAC = 2 FLOPs]
Peak activations  140.00 B at batch = 5
Nodes             3: MatMul 2, Add 1
"""


def test_text_is_the_table_of_layers(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    text = render_text(collect("model.onnx", {"x": (5, 4)}))
    text = re.sub(r"model.onnx \(.*\)", "model.onnx (SIZE)", text)
    assert text == TEXT.replace("LONG", "z" * 100)


def test_text_keeps_to_its_width(path):
    report = collect(path, by_node=True)
    for width in (60, 80, 100):
        assert max(len(line) for line in render_text(report, width=width).splitlines()) <= width


def test_text_has_colour_only_when_asked(path):
    report = collect(path)
    assert "\x1b" not in render_text(report)
    assert "\x1b[1m" in render_text(report, color=True)


def test_json_has_the_promised_keys(path):
    document = json.loads(to_json(collect(path)))
    assert {
        "file", "producer", "ir_version", "opsets", "inputs", "outputs", "rows", "totals",
        "op_counts", "metadata", "functions", "not_counted", "sizes", "notes", "checks",
    } <= set(document)  # fmt: skip
    assert document["producer"] == "seqonnx 0.1.0"
    assert document["opsets"] == {"ai.onnx": 21}
    assert document["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["batch", 4]}]
    assert document["sizes"] == {"batch": 1}
    assert len(document["metadata"]["long"]) == 5000
    for row in document["rows"]:
        assert {"name", "op_type", "layer", "output_shape", "dtype", "params", "macs"} <= set(row)
    assert document["rows"][0] == {
        "name": "dense",
        "op_type": "Dense",
        "layer": "dense",
        "output_shape": [None, 3],
        "dtype": "float32",
        "params": 15,
        "weight_bytes": 60,
        "macs": "12 * batch",
        "macs_at": 12,
        "complete": True,
        "trainable": True,
        "provider": None,
    }
    assert document["rows"][1]["macs"] == 0
    assert document["totals"] == {
        "params": 21,
        "weight_bytes": 84,
        "macs": "18 * batch",
        "macs_at": 18,
        "complete": True,
        "nodes": 3,
        "peak_activation_bytes": 28,
    }


def test_csv_reads_back_and_adds_up(path):
    report = collect(path, {"x": (5, 4)}, by_node=True)
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert [row["name"] for row in rows] == ["dense/MatMul", "dense/Add", "dense_1/MatMul"]
    assert [json.loads(row["output_shape"]) for row in rows] == [["batch", 3]] * 2 + [["batch", 2]]
    assert sum(int(row["params"]) for row in rows) == report.totals.params
    assert sum(int(row["macs_at"]) for row in rows) == report.totals.macs_at
    assert rows[0]["macs"] == "12 * batch"


def test_markdown_reads_back_and_adds_up(path):
    report = collect(path, {"x": (5, 4)})
    lines = to_markdown(report).splitlines()
    start = lines.index("| Layer | Class | Output shape | Type | Params | MACs at batch = 5 |")
    assert lines[start + 1] == "|---|---|---|---|---:|---:|"
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start + 2 :]]
    rows = [cells for cells in table if len(cells) == 6]
    assert rows[2] == ["dense\\_1", "Dense", "(None, 2)", "float32", "6", "30"]
    assert sum(int(cells[4]) for cells in rows) == report.totals.params
    assert sum(int(cells[5]) for cells in rows) == report.totals.macs_at


def test_markdown_escapes_what_would_break_a_table(path):
    model = onnx.load(path)
    model.graph.node[1].name = ""
    onnx.save(model, path)
    lines = to_markdown(collect(path, by_node=True)).splitlines()
    assert "| b\\|\\*\\_ | Add | (batch, 3) | float32 | 3 | 0 |" in lines


@pytest.mark.parametrize("render", [render_text, to_json, to_csv, to_markdown])
@pytest.mark.parametrize("by_node", [True, False])
def test_weights_and_control_characters_are_never_printed(render, by_node, path):
    text = render(collect(path, by_node=by_node))
    assert str(SECRET) not in text
    assert "\x1b" not in text


def test_providers_are_joined_over_the_nodes_of_a_layer(path):
    report = collect(path)
    placed = with_providers(report, {"dense/MatMul": "A", "dense/Add": "B", "other": "C"})
    assert [row.provider for row in placed.rows] == ["A, B", None, None]
    assert "Provider" in render_text(placed)
    assert "Provider" not in render_text(report)


def test_bodies_hang_below_their_node(tmp_path):
    value = helper.make_tensor_value_info
    branch = [
        helper.make_graph(
            [helper.make_node(op, ["x"], ["z"], op.lower())], op, [], [value("z", 1, [2])]
        )
        for op in ("Relu", "Tanh")
    ]
    node = helper.make_node("If", ["c"], ["y"], "if", then_branch=branch[0], else_branch=branch[1])
    graph = helper.make_graph(
        [node], "g", [value("c", 9, []), value("x", 1, [2])], [value("y", 1, [2])]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, tmp_path / "m.onnx")
    report = collect(tmp_path / "m.onnx")
    assert re.search(r"^if +If .*\n└ (relu|tanh) .*\n└ (relu|tanh) ", render_text(report), re.M)
    (row,) = json.loads(to_json(report))["rows"]
    assert {inner["op_type"] for inner in row["body"]} == {"Relu", "Tanh"}
    assert len(list(csv.DictReader(io.StringIO(to_csv(report))))) == 1


@pytest.mark.parametrize(
    ("options", "start"),
    [
        ([], "File "),
        (["--json"], "{\n"),
        (["--csv"], "name,op_type,layer,"),
        (["--markdown"], "# "),
        (["--width", "60"], "File "),
    ],
)
def test_command_prints_the_form_that_was_asked_for(options, start, path, capsys):
    assert main(["inspect", str(path), *options]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(start)
    assert err == ""


def test_command_takes_shapes_and_shows_nodes(path, capsys):
    assert main(["inspect", str(path), "--json", "--nodes", "--shape", "x=7,4"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["totals"]["macs_at"] == 7 * 18
    assert [row["op_type"] for row in document["rows"]] == ["MatMul", "Add", "MatMul"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "is empty (0 bytes)"),
        (b"some text that is not protobuf", "not an ONNX model"),
    ],
)
def test_file_that_is_no_model_gives_2_and_one_line(content, reason, tmp_path, capsys):
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(content)
    assert main(["inspect", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"seqonnx inspect: {path}: ")
    assert reason in err
    assert err.count("\n") == 1


def test_truncated_file_gives_2(path, capsys):
    path.write_bytes(path.read_bytes()[:-7])
    assert main(["inspect", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("shape", "reason"),
    [("z=1", "The model has no input 'z'."), ("x=1,2,3", "Input 'x' has 2 dimensions")],
)
def test_shape_that_does_not_fit_gives_2(shape, reason, path, capsys):
    assert main(["inspect", str(path), "--shape", shape]) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect"],
        ["inspect", "a.onnx", "--json", "--csv"],
        ["inspect", "a.onnx", "--shape", "x"],
        ["inspect", "a.onnx", "--shape", "x=1,b"],
        ["inspect", "a.onnx", "--shape", "=1"],
        ["inspect", "a.onnx", "--providers", ","],
        ["unheard"],
        [],
    ],
)
def test_wrong_arguments_end_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: seqonnx" in capsys.readouterr().err


def test_check_passes_a_sound_model(path, capsys):
    pytest.importorskip("onnxruntime")
    assert main(["inspect", str(path), "--check", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [(check["name"], check["passed"]) for check in checks] == [
        ("onnx.checker", True),
        ("shape inference", True),
        ("ONNX Runtime", True),
    ]


def test_check_fails_a_broken_model_with_1(path, capsys):
    pytest.importorskip("onnxruntime")
    model = onnx.load(path)
    model.graph.node[1].input[0] = "nobody_makes_this"
    onnx.save(model, path)
    assert main(["inspect", str(path), "--check"]) == 1
    out, err = capsys.readouterr()
    assert "Check onnx.checker     failed: " in out
    lines = err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"seqonnx inspect: {path}: onnx.checker failed: ")


def test_check_fails_where_external_data_is_missing(path, capsys):
    pytest.importorskip("onnxruntime")
    onnx.save(
        onnx.load(path),
        path,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert main(["inspect", str(path), "--check"]) == 0
    assert "B + 84.00 B external data)" in capsys.readouterr().out
    (path.parent / "weights.bin").unlink()
    assert main(["inspect", str(path)]) == 0
    assert "External data file 'weights.bin' is missing." in capsys.readouterr().out
    assert main(["inspect", str(path), "--check"]) == 1


def test_providers_show_where_nodes_run(path, capsys):
    pytest.importorskip("onnxruntime")
    for request in ("cpu", "CPUExecutionProvider"):
        assert main(["inspect", str(path), "--nodes", "--json", "--providers", request]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert {row["provider"] for row in rows} == {"CPUExecutionProvider"}


def test_provider_that_is_not_there_gives_1(path, capsys):
    pytest.importorskip("onnxruntime")
    assert main(["inspect", str(path), "--providers", "UnheardExecutionProvider"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "UnheardExecutionProvider" in err


def python(*arguments, **options):
    """Run a fresh interpreter in the repository."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)


def test_module_runs_as_the_command(tmp_path):
    assert python("-m", "seqonnx", "--version").stdout == f"seqonnx {__version__}\n"
    assert "--shape NAME=1,3,32,32" in python("-m", "seqonnx", "inspect", "--help").stdout
    result = python("-m", "seqonnx", "inspect", str(tmp_path / "absent.onnx"))
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1


def test_parser_imports_nothing_heavy():
    code = (
        "import sys, seqonnx.cli; seqonnx.cli._parser(); "
        "print({'numpy', 'onnx', 'rich', 'onnxruntime', 'onnx_ir', 'google'} & set(sys.modules))"
    )
    assert python("-c", code).stdout == "set()\n"


def test_closed_pipe_is_no_error(path):
    code = (
        "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); "
        f"from seqonnx.cli import main; sys.exit(main(['inspect', {str(path)!r}, '--json']))"
    )
    result = python("-c", code)
    assert (result.returncode, result.stderr) == (0, "")


def test_names_survive_an_output_of_narrow_encoding(path):
    result = python("-m", "seqonnx", "inspect", str(path), env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0, result.stderr
    assert (
        "\nLayer         Class    Output shape  Type     Params  MACs     %\n---" in result.stdout
    )


def test_text_is_drawn_in_ascii_on_an_output_of_narrow_encoding(path):
    model = onnx.load(path)
    model.graph.node[0].name = "café"
    model.opset_import.add(domain="vendor", version=1)
    model.graph.node.add(op_type="Make", domain="vendor", input=["y"], output=["z"])
    onnx.save(model, path)
    arguments = ("-m", "seqonnx", "inspect", str(path), "--nodes")
    result = python(*arguments, env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0, result.stderr
    assert "\ncaf\\xe9 " in result.stdout
    assert "  (>=18 at batch = 1)  [1 MAC = 2 FLOPs]\n" in result.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_stays_json_on_an_output_of_narrow_encoding(encoding, path):
    model = onnx.load(path)
    helper.set_model_props(model, {"author": "René 🙂"})
    model.graph.node[0].name = "café❤"
    onnx.save(model, path)
    arguments = ("-m", "seqonnx", "inspect", str(path), "--json", "--nodes")
    result = python(*arguments, env={"PYTHONIOENCODING": encoding}, encoding=encoding)
    document = json.loads(result.stdout)
    assert document["metadata"]["author"] == "René 🙂"
    assert document["rows"][0]["name"] == "café❤"


@pytest.mark.skipif(not MNIST.exists(), reason="shared data is not here")
def test_inspect_reads_as_a_table_on_a_real_file(capsys):
    assert main(["inspect", str(MNIST), "--check"]) == 0
    out = capsys.readouterr().out
    assert "Convolution110     Conv      (1, 16, 14, 14)  float32   3,200  627,200  79.7" in out
    assert "Total MACs             786,560  [1 MAC = 2 FLOPs]" in out
