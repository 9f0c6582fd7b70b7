"""The check of a GPU runs anywhere: here the CPU is compared with itself."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def tool(load):
    return load("tools/checks/gpu_check.py")


def test_all_checks_pass_on_the_cpu(tool, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    arguments = ["--device", "cpu", "--model", "digits_cnn", "--steps", "2", "--timed-steps", "2"]
    assert tool.main(arguments) == 0
    printed = capsys.readouterr().out
    for check in ("forward", "gradients", "gradients of a training step", "2 training steps"):
        assert f"digits_cnn: {check}" in printed or f"losses of {check}" in printed
    assert "nodes on the CPU" in printed
    assert "FAILED" not in printed


def test_device_that_cannot_be_had_is_told_from_a_failed_check(tool, capsys):
    assert tool.main(["--device", "cuda:99"]) == 2
    assert "[gpu]" in capsys.readouterr().out


@pytest.mark.parametrize("broken", [0.9, np.nan])
def test_difference_beyond_the_limit_fails(tool, broken):
    worst = tool.difference(np.array([1.0, 2.0]), np.array([broken, 2.0]))
    assert not tool.compared("forward", worst, 1e-2).passed


def test_difference_is_relative_to_the_largest_value(tool):
    assert tool.difference(np.array([1.0, -200.0]), np.array([2.0, -200.0])) == pytest.approx(0.005)


def test_comparison_on_a_gpu_is_made_without_tf32(tool):
    request = tool.exact("cuda:1")
    assert request[0][1]["use_tf32"] == "0"
    assert request[0][1]["device_id"] == "1"
    assert tool.exact("cpu") == "cpu"
