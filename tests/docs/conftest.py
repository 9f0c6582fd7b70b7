"""What the tests of the pages share."""

from __future__ import annotations

import pytest

import seqonnx as keras
from seqonnx import config


@pytest.fixture(autouse=True)
def settings():
    """Start automatic names anew; leave the device and the seeds of the process as they were."""
    before = dict(vars(config._settings))
    keras.clear_session()
    yield
    vars(config._settings).update(before)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """A copy of the registry of gradient rules: what a page registers is gone after it."""
    import seqonnx.autodiff.rules as rules
    from seqonnx.autodiff import registry

    rules.load()
    monkeypatch.setattr(registry, "_rules", dict(registry._rules))
    monkeypatch.setattr(registry, "_nondifferentiable", dict(registry._nondifferentiable))
