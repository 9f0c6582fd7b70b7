"""Lets the tests of this folder import its case tables, and register rules of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def own_registry(monkeypatch):
    """A copy of the registry: what a test registers is gone after it."""
    import seqonnx.autodiff.rules as rules
    from seqonnx.autodiff import registry

    rules.load()
    monkeypatch.setattr(registry, "_rules", dict(registry._rules))
    monkeypatch.setattr(registry, "_nondifferentiable", dict(registry._nondifferentiable))
