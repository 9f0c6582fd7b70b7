"""Every test starts with fresh names and the same seed, on the CPU."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import seqonnx

sys.path.insert(0, str(Path(__file__).parent))  # tests here import builders.py


@pytest.fixture(autouse=True)
def fresh_session(monkeypatch):
    monkeypatch.setenv("SEQONNX_DEVICE", "cpu")
    seqonnx.clear_session()
    seqonnx.set_random_seed(0)
