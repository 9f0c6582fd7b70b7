"""The measurement of peak memory trains the same network with and without recomputation."""

from __future__ import annotations

import pytest

import seqonnx
from seqonnx import layers

pytest.importorskip("resource", reason="peak memory is asked for as Unix does")


def small():
    hidden = [layers.Dense(4, activation="relu") for _ in range(6)]
    return seqonnx.Sequential([seqonnx.Input((4,)), *hidden, layers.Dense(10)]), 8


def test_loss_is_the_same(load, monkeypatch):
    tool = load("tools/bench/memory_check.py")
    monkeypatch.setitem(tool.WORKLOADS, "dense", small)
    kept, repeated = (tool.measure("dense", recompute, 2) for recompute in (False, True))
    assert kept["loss"] == pytest.approx(repeated["loss"], rel=1e-6)
    assert kept["memory"] >= 0
    assert kept["time"] > 0
