"""Every test starts with fresh names and the same seed, on the CPU."""

from __future__ import annotations

import pytest

import seqonnx as keras


@pytest.fixture(autouse=True)
def fresh_session(monkeypatch):
    monkeypatch.setenv("SEQONNX_DEVICE", "cpu")
    keras.clear_session()
    keras.set_random_seed(0)
