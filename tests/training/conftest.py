"""Every test starts with fresh names and the same seed, on the CPU; finds the helper here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import seqonnx as keras

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def fresh_session(monkeypatch):
    monkeypatch.setenv("SEQONNX_DEVICE", "cpu")
    keras.clear_session()
    keras.set_random_seed(0)
