"""Values of a step die early: ONNX Runtime's order of execution, and its memory patterns."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.runtime import CPU, Session, options, session
from seqonnx.training import trainer

DEPTH = 6
UNITS = 72  # kernels of more than 4,096 elements, which no optimizer updates together


def deep(units):
    hidden = [layers.Dense(units, activation="tanh", name=f"hidden{i}") for i in range(DEPTH)]
    return seqonnx.Sequential([seqonnx.Input((units,)), *hidden, layers.Dense(3)])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_weights_are_updated_as_soon_as_their_gradients_are_there(optimizer, monkeypatch, tmp_path):
    found = []
    original = trainer.build_train_step

    def recording(*args, **kwargs):
        found.append(original(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(trainer, "build_train_step", recording)
    model = deep(UNITS)
    model.compile(optimizer, "mse")
    model.train_on_batch(np.ones((4, UNITS), np.float32), np.ones((4, 3), np.float32))
    step = Session(found[0].model, CPU, training=True, profile=tmp_path / "profile.json")
    step.run({spec.name: np.ones(spec.shape, spec.dtype) for spec in step.inputs})
    order = {record.node: i for i, record in enumerate(step.end_profile())}
    graph = onnx.load_model_from_string(found[0].model).graph
    makers = {name: node.name for node in graph.node for name in node.output}
    updates = [order[makers[f"next/hidden{i}/kernel"]] for i in range(DEPTH)]
    arrivals = [order[f"grad/hidden{i}/Mul"] for i in range(DEPTH)]
    for layer in range(2, DEPTH):
        assert updates[layer] < arrivals[layer - 2]


def test_values_are_not_laid_out_twice_where_they_are_large():
    assert options.session_options(training=True).enable_mem_pattern
    assert not options.session_options(training=True, large=True).enable_mem_pattern


@pytest.mark.parametrize(("batch", "large"), [(4, False), (400_000, True)])
def test_a_step_is_large_by_what_it_computes(batch, large, monkeypatch):
    class Asked(Exception):
        """Ends the step where its session would be made."""

    asked = {}

    def ask(**given):
        asked.update(given)
        raise Asked

    monkeypatch.setattr(session, "session_options", ask)
    model = deep(8)
    model.compile("sgd", "mse")
    with pytest.raises(Asked):
        model.train_on_batch(np.ones((batch, 8), np.float32), np.ones((batch, 3), np.float32))
    assert asked["large"] is large
