"""Every test starts with fresh names, on the CPU, with a cache of its own."""

from __future__ import annotations

import pytest

from support.sessions import fresh_session

__all__ = ["fresh_session"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SEQONNX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
