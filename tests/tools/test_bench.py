"""The benchmark compares like with like, and writes its numbers for programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def tool(load, monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return load("tools/bench.py")


def test_peers_do_the_same_work(run_script):
    pytest.importorskip("torch")
    result = run_script("tools/bench.py", "--check")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count(" same ") == 7


def test_numbers_are_written_as_json(run_script, tmp_path):
    arguments = ["--workload", "mlp_small", "--contestant", "seqonnx", "--rounds", "1"]
    result = run_script("tools/bench.py", *arguments, "--json", tmp_path / "result.json")
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / "result.json").read_text("utf-8"))
    assert set(written["machine"]) >= {"processor", "python", "device", "threads", "versions"}
    (workload,) = written["workloads"]
    assert workload["workload"] == "mlp_small"
    times = workload["ms_per_step"]["seqonnx"]
    assert workload["median_ms_per_step"]["seqonnx"] == pytest.approx(np.median(times))
    assert workload["ratio_to_best_peer"] is None


@pytest.mark.parametrize(
    ("peer", "same"),
    [((2.0, 1.0005), True), ((2.0, 1.002), False), ((1.998, 1.0), False), ((2.0, np.nan), False)],
)
def test_losses_that_differ_are_other_work(tool, peer, same):
    assert tool.same_work({"seqonnx": (2.0, 1.0), "peer": peer}) is same


def test_dense_kernel_is_reordered_for_images_with_channels_first(load):
    workloads = load("tools/bench_workloads.py")
    rng = np.random.default_rng(0)
    image = rng.random((5, 4, 4, 3))
    kernel = rng.random((48, 2))
    expected = image.reshape(5, -1) @ kernel
    first = image.transpose(0, 3, 1, 2).reshape(5, -1)
    np.testing.assert_allclose(first @ workloads.channels_first(kernel, 3), expected)
    assert not np.allclose(first @ kernel, expected)
