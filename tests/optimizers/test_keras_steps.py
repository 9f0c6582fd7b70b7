"""Ten steps of a network end with the weights, and the state, that real Keras has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
from support.optimizers import cases

RECORDED = np.load(Path(cases.__file__).with_name("recorded_optimizers.npz"))


def flat(arrays):
    return np.concatenate([np.asarray(array, np.float32).ravel() for array in arrays])


def agree(model, name, **tolerance):
    wanted = RECORDED[f"weights/{name}"]
    np.testing.assert_allclose(flat(model.get_weights()), wanted, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", cases.ALL)
def test_ten_steps_end_with_the_weights_and_variables_of_keras(name):
    keras.clear_session(free_memory=False)
    model = cases.network(keras)
    model.compile(cases.optimizer(keras, name), "mse")
    cases.trained(model)
    agree(model, name)
    assert model.optimizer.iterations == RECORDED[f"updates/{name}"]
    if name not in cases.LISTED:
        return
    variables = model.optimizer.variables
    assert [variable.path for variable in variables] == list(RECORDED[f"paths/{name}"])
    values = flat(variable.numpy() for variable in variables)
    np.testing.assert_allclose(values, RECORDED[f"variables/{name}"], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", ["constrained", "frozen"])
def test_averages_leave_constraints_and_frozen_weights_alone(name):
    model = cases.network(keras, **{name: True})
    arguments = cases.BASIC["Adam"] | cases.COMMON["ema overwrites"]
    model.compile(keras.optimizers.Adam(**arguments), "mse")
    cases.trained(model)
    agree(model, name)


@pytest.mark.parametrize("name", ["ema", "ema overwrites"])
def test_fit_ends_with_the_averages_in_the_place_of_the_weights(name):
    model = cases.network(keras)
    model.compile(keras.optimizers.Adam(**cases.BASIC["Adam"] | cases.COMMON[name]), "mse")
    model.fit(cases.X, cases.Y, batch_size=cases.BATCH, shuffle=False, verbose=0)
    agree(model, f"fit with {name}")


@pytest.mark.parametrize(
    "name", ["Adam with ema with accumulation", "multi", "Adafactor with accumulation"]
)
def test_several_steps_in_a_run_are_the_steps_one_by_one(name):
    keras.clear_session(free_memory=False)
    model = cases.network(keras)
    optimizer = cases.optimizer(keras, name)
    model.compile(optimizer, "mse", steps_per_execution=4)
    seen = []

    class WithoutTheEnd(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(flat(self.model.get_weights()))

    model.fit(
        cases.X,
        cases.Y,
        batch_size=cases.BATCH,
        shuffle=False,
        verbose=0,
        callbacks=[WithoutTheEnd()],
    )
    np.testing.assert_allclose(seen[0], RECORDED[f"weights/{name}"], rtol=2e-6, atol=1e-6)
    assert optimizer.iterations == RECORDED[f"updates/{name}"]
