"""Sessions of an earlier model are given back: none outlives the change."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import seqonnx as keras
from seqonnx.layers import Dense, Dropout
from seqonnx.runtime import Session

X = np.ones((8, 4), np.float32)
Y = np.ones((8, 2), np.float32)


@pytest.fixture
def made(monkeypatch):
    """Weak references to all sessions that the test makes."""
    references = []
    original = Session.__init__

    def recorded(self, *args, **kwargs):
        original(self, *args, **kwargs)
        references.append(weakref.ref(self))

    monkeypatch.setattr(Session, "__init__", recorded)
    return references


def alive(references):
    gc.collect()
    return [reference for reference in references if reference() is not None]


def stack():
    model = keras.Sequential([keras.Input((4,)), Dense(2), Dropout(0.5), Dense(2)])
    model.compile("adam", "mse")
    return model


USES = {
    "training": lambda model: model.fit(X, Y, batch_size=4, verbose=0),
    "evaluation": lambda model: model.evaluate(X, Y, verbose=0),
    "prediction": lambda model: model.predict(X, verbose=0),
    "call in training mode": lambda model: model(X, training=True),
}
CHANGES = {
    "compile": lambda model: model.compile("sgd", "mae"),
    "add": lambda model: model.add(Dense(2)),
    "pop": lambda model: model.pop(),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("use", USES)
def test_sessions_of_before_are_released(made, use, change):
    model = stack()
    USES[use](model)
    assert len(alive(made)) > 0
    CHANGES[change](model)
    assert alive(made) == []


@pytest.mark.parametrize("use", USES)
def test_sessions_are_released_with_the_last_layer(made, use):
    model = keras.Sequential([keras.Input((4,)), Dense(2)])
    model.compile("adam", "mse")
    USES[use](model)
    model.pop()
    assert alive(made) == []


def test_sessions_live_as_long_as_the_model(made):
    model = stack()
    for use in USES.values():
        use(model)
    kept = alive(made)
    assert len(kept) == len(USES)
    model.predict(X, verbose=0)
    assert alive(made) == kept
    del model
    assert alive(made) == []
