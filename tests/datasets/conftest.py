"""No network, and a cache of their own for the tests of data sets."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from support.sessions import settings

__all__ = ["settings"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache; what is not in it cannot be had, and no time is lost in trying."""

    def refuse(*_, **__):
        raise urllib.error.URLError("no network")

    folder = tmp_path / "cache"
    monkeypatch.setenv("KERAS_HOME", str(folder))
    monkeypatch.delenv("SEQONNX_CACHE", raising=False)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return folder / "datasets"
