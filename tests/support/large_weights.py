"""A fixture for tests of large models: small ones count as large."""

from __future__ import annotations

import pytest


@pytest.fixture
def large_from_4_kib(monkeypatch):
    """Small numbers for those from which weights stay apart."""
    for module in ("apart", "external"):
        monkeypatch.setattr(f"seqonnx.graph.{module}.APART_FROM", 1 << 12)
        monkeypatch.setattr(f"seqonnx.graph.{module}.LARGE", 1 << 10)
    monkeypatch.setattr("seqonnx.graph.apart._SESSIONS_APART_FROM", 1 << 12)
