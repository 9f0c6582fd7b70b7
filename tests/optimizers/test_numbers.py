"""The numbers of an optimizer are plain numbers that can be assigned, and are listed."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, optimizers
from seqonnx.graph import Variable
from seqonnx.optimizers import schedules


def test_learning_rate_is_a_float_in_every_way():
    rate = optimizers.SGD(0.25).learning_rate
    assert isinstance(rate, float)
    assert (rate, float(rate), f"{rate:.3f}", repr(rate), json.dumps(rate)) == (
        0.25, 0.25, "0.250", "0.25", "0.25",
    )  # fmt: skip
    assert type(rate * 2) is float
    assert rate * 2 == 0.5
    assert hash(rate) == hash(0.25)
    assert rate < 0.3
    assert np.float32(rate) == np.asarray(rate) == 0.25
    assert rate.value == rate.numpy() == 0.25
    assert type(rate.value) is float
    assert rate.numpy().dtype == np.float32


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copy_is_a_plain_number_and_holds_no_optimizer(copied):
    optimizer = optimizers.SGD(0.25)
    assert type(copied(optimizer.learning_rate)) is float
    assert type(copied(optimizer.iterations)) is int


@pytest.mark.parametrize("wrap", [lambda x: x, optimizers.LossScaleOptimizer])
def test_learning_rate_is_assigned_or_set(wrap):
    optimizer = wrap(optimizers.SGD(0.25))
    optimizer.learning_rate.assign(0.125)
    assert optimizer.learning_rate == 0.125
    optimizer.learning_rate.assign(optimizer.learning_rate * 2)
    assert optimizer.learning_rate == 0.25
    optimizer.learning_rate = np.float32(0.5)
    assert optimizer.learning_rate == 0.5


def test_learning_rate_of_a_schedule_is_not_assigned():
    optimizer = optimizers.SGD(schedules.ExponentialDecay(0.5, 1, 0.5))
    optimizer.iterations.assign(2)
    assert optimizer.learning_rate == 0.125
    with pytest.raises(TypeError, match="learning rate is not settable"):
        optimizer.learning_rate.assign(0.1)


def test_iterations_is_an_int_that_can_be_assigned():
    optimizer = optimizers.Adam(name="a")
    optimizer.apply([np.ones(2)], [np.ones(2)])
    steps = optimizer.iterations
    assert isinstance(steps, int)
    assert (steps, steps + 1, steps.value, steps.numpy()) == (1, 2, 1, 1)
    assert list(range(5))[steps] == 1
    steps.assign(7)
    assert optimizer.iterations == 7
    optimizer.iterations = optimizer.iterations + 1
    assert optimizer.iterations == 8


def test_variables_are_the_steps_the_rate_and_the_slots_as_in_keras():
    # Keras 3.15.1: [v.path for v in Adam(name="a").variables] after build with one variable is
    # a/iteration, a/learning_rate, a/..._momentum, a/..._velocity.
    optimizer = optimizers.Adam(name="a")
    assert [v.path for v in optimizer.variables] == ["a/iteration", "a/learning_rate"]
    slot = Variable(np.zeros(2), "momentum", trainable=False, path="a/momentum")
    optimizer._slot_variables = lambda: [slot]
    assert optimizer.variables[2:] == [slot]
    assert copy.deepcopy(optimizer).variables[2:] == []
    scheduled = optimizers.Adam(schedules.CosineDecay(0.1, 2), name="a")
    assert [v.path for v in scheduled.variables] == ["a/iteration"]


def test_assigned_learning_rate_is_that_of_the_next_step():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.0), "mse")
    x = np.ones((1, 1), np.float32)
    model.fit(x, 0 * x, verbose=0)
    assert model.get_weights()[0] == 1.0
    model.optimizer.learning_rate.assign(0.25)
    model.fit(x, 0 * x, verbose=0)
    assert model.get_weights()[0] == 0.5
    assert model.optimizer.iterations == 2


def test_arguments_of_an_optimizer_of_ones_own_are_saved():
    class Own(optimizers.Optimizer):
        def __init__(self, learning_rate=0.1, strength=2.0, **common):
            super().__init__(learning_rate, **common)
            self.strength = strength

        def update(self, op, param, grad, slots, scalars):
            return op.Sub(param, op.Mul(grad, self.strength)), {}

    config = optimizers.serialize(Own(strength=3.0, name="own"))
    assert config["config"]["strength"] == 3.0
    assert list(config["config"])[:2] == ["name", "learning_rate"]
    assert optimizers.deserialize(config, {"Own": Own}).strength == 3.0
