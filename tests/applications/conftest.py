"""Every test starts with fresh names, on the CPU, with a cache of its own."""

from __future__ import annotations

import pytest

import seqonnx


@pytest.fixture(autouse=True)
def fresh_session(monkeypatch, tmp_path):
    monkeypatch.setenv("SEQONNX_DEVICE", "cpu")
    monkeypatch.setenv("SEQONNX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    seqonnx.clear_session()
    seqonnx.set_random_seed(0)
