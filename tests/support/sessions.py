"""Fixtures that many folders of tests share. A `conftest.py` imports those that it wants."""

from __future__ import annotations

import pytest

import seqonnx
from seqonnx import config, defaults
from seqonnx.errors import DeviceError
from seqonnx.runtime import select_device


@pytest.fixture(autouse=True)
def fresh_session(monkeypatch):
    """Start with fresh names and the same seed, on the CPU."""
    monkeypatch.setenv("SEQONNX_DEVICE", "cpu")
    seqonnx.clear_session(free_memory=False)
    seqonnx.set_random_seed(0)


@pytest.fixture(autouse=True)
def settings():
    """Start automatic names anew; leave the device and the seeds of the process as they were."""
    before = dict(vars(config._settings))
    chosen = dict(vars(defaults._defaults))
    seqonnx.clear_session(free_memory=False)
    yield
    vars(config._settings).update(before)
    vars(defaults._defaults).update(chosen)


@pytest.fixture
def own_registry(monkeypatch):
    """A copy of the registry of gradient rules: what a test registers is gone after it."""
    import seqonnx.autodiff.rules as rules
    from seqonnx.autodiff import registry

    rules.load()
    monkeypatch.setattr(registry, "_rules", dict(registry._rules))
    monkeypatch.setattr(registry, "_nondifferentiable", dict(registry._nondifferentiable))


@pytest.fixture(scope="module")
def gpu():
    """The GPU; skips where there is none."""
    try:
        return select_device("cuda")
    except DeviceError as error:
        pytest.skip(str(error))
