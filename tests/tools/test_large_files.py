"""The bench of large files does what it measures, on a small one."""

from __future__ import annotations

import sys

import pytest


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the peak is asked for as on Linux"
)
def test_every_operation_runs_on_the_network_that_is_written(load, tmp_path):
    tool = load("tools/bench/large_files.py")
    tool.write_network(tmp_path / "net.onnx", 2, 16)
    found = tool.run(tmp_path / "net.onnx", "all")
    assert found["memory"] > 0
    assert (tmp_path / "exported.onnx").exists()
    assert (tmp_path / "saved.onnx").exists()
