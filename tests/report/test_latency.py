"""`seqonnx inspect --run`: times of runs and rows, and what each of them is the time of."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from seqonnx.cli import main
from seqonnx.report.collect import collect
from seqonnx.report.latency import _per_run, with_latency
from seqonnx.report.timed_nodes import NodeNames
from seqonnx.runtime import CPU, ProfileRecord
from support.report.diff_models import branching, convnet

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path):
    onnx.save(convnet(), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def rows_with_time(report):
    return {row.name for row in report.rows if row.latency_ms is not None}


def test_latency_has_quartiles_and_speed(path):
    latency = with_latency(collect(path, {"x": (2, 3, 8, 8)}), 5, CPU).latency
    low, middle, high = latency.quartiles
    assert 0 < low <= middle <= high
    assert (latency.runs, latency.provider) == (5, "CPUExecutionProvider")
    assert latency.gflops == pytest.approx(2 * 2 * 16_148 / (middle * 1e6))  # two samples


def test_convolutions_have_the_time_of_what_is_fused_into_them(path):
    report = with_latency(collect(path), 2, CPU)
    assert {"/conv1/Conv", "/conv2/Conv", "/fc/Gemm"} <= rows_with_time(report)


def test_nodes_without_a_name_are_timed(tmp_path):
    model = convnet()
    for node in model.graph.node:
        node.name = ""
    onnx.save(model, tmp_path / "model.onnx")
    report = with_latency(collect(tmp_path / "model.onnx"), 2, CPU)
    assert {"c1", "c2", "y"} <= rows_with_time(report)


def test_layers_are_timed(tmp_path):
    report = with_latency(collect(ROOT / "models" / "mnist_cnn.onnx"), 2, CPU)
    assert report.grouped
    assert {"conv2d", "conv2d_1", "dense"} <= rows_with_time(report)


def test_bodies_are_timed_within_their_node(tmp_path):
    onnx.save(branching(), tmp_path / "model.onnx")
    feeds = {"x": np.ones((1, 4), np.float32)}  # takes the branch `yes` in each run
    report = with_latency(collect(tmp_path / "model.onnx"), 2, CPU, feeds)
    branch = next(row for row in report.rows if row.name == "if")
    times = {row.name: row.latency_ms for row in branch.body}
    assert times["no/Elu"] is None
    assert 0 < times["yes/Relu"] <= branch.latency_ms


@pytest.mark.parametrize(
    ("record", "owner"),
    [
        (("/fc/Gemm", "Gemm"), "/fc/Gemm"),
        (("r1", "Conv"), "/conv1/Conv"),
        (("r2", "Conv"), "/conv2/Conv"),  # the sum and the activation are fused into it
        (("r2", "FusedConv"), "/conv2/Conv"),
        (("r2", "Unknown"), "/relu_1/Relu"),
        (("ReorderOutput_token_5", "ReorderOutput"), None),
    ],
)
def test_a_node_that_ran_belongs_to_one_of_the_file(record, owner):
    assert NodeNames(convnet()).owner(ProfileRecord(*record, "", 1)) == owner


@pytest.mark.parametrize(
    ("taken", "runs", "expected"),
    [
        ([900, 90, 90, 5, 7, 30], 6, 7),  # the first three runs do not count
        ([900, 90, 90, 90, 90, 90, 5, 7, 4, 4, 30, 1], 6, 12),  # twice in each run
        ([6, 6], 4, 3),  # in some of the runs
    ],
)
def test_time_of_a_run(taken, runs, expected):
    assert _per_run(taken, runs) == expected


def run(path, capsys, *options):
    code = main(["inspect", str(path), *options])
    return code, capsys.readouterr()


def test_text_has_times_within_its_width(path, capsys):
    out = run(path, capsys, "--run", "2", "--width", "80")[1].out
    header = next(line for line in out.splitlines() if line.startswith("Node "))
    assert header.split()[-2:] == ["ms", "GFLOP/s"]
    assert "2 runs on CPU" in out
    assert max(map(len, out.splitlines())) <= 80


def test_json_csv_and_markdown_have_times(path, capsys):
    document = json.loads(run(path, capsys, "--run", "2", "--json")[1].out)
    assert set(document["latency"]) == {
        *("runs", "provider", "quartiles", "gflops", "complete", "added_ms"),
    }
    assert document["rows"][-1]["latency_ms"] > 0
    rows = list(csv.DictReader(io.StringIO(run(path, capsys, "--run", "2", "--csv")[1].out)))
    assert float(rows[-1]["latency_ms"]) > 0
    assert "| ms | GFLOP/s |" in run(path, capsys, "--run", "2", "--markdown")[1].out


def test_the_inputs_give_the_sizes(path, tmp_path, capsys):
    np.savez(tmp_path / "data.npz", x=np.zeros((4, 3, 8, 8), np.float32))
    options = ("--run", "1", "--json", "--inputs", str(tmp_path / "data.npz"))
    assert json.loads(run(path, capsys, *options)[1].out)["totals"]["macs_at"] == 4 * 16_148


def test_a_run_that_fails_says_why(path, tmp_path, capsys):
    np.savez(tmp_path / "data.npz", x=np.zeros((4, 3, 8, 8), np.float64))
    code, printed = run(path, capsys, "--run", "1", "--inputs", str(tmp_path / "data.npz"))
    assert code == 1
    assert "float64" in printed.err


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 damaged", None])
def test_inputs_that_are_no_npz_file_are_named(path, tmp_path, capsys, content):
    data = tmp_path / "data.npz"
    if content is None:
        np.save(tmp_path / "data.npy", np.zeros(3))
        (tmp_path / "data.npy").rename(data)
    else:
        data.write_bytes(content)
    code, printed = run(path, capsys, "--run", "1", "--inputs", str(data))
    assert code == 2
    assert f"{data} is no .npz file" in printed.err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--run", "0"], "expected a number from 1; received '0'"),
        (["--inputs", "random"], "--inputs goes with --run N or --diff A B"),
        (["--run", "1", "--inputs", "a.npz", "--shape", "x=1,3,8,8"], "leave --shape out"),
        (["--fix-dims", "out.onnx"], "needs the shapes to fix"),
    ],
)
def test_options_that_do_not_go_together_are_refused(path, capsys, options, reason):
    with pytest.raises(SystemExit):
        main(["inspect", str(path), *options])
    assert reason in capsys.readouterr().err
