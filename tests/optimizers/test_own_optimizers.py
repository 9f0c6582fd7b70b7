"""Optimizers written as in Keras train in the step graph as those of the package do."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import ops, optimizers
from seqonnx.graph import Variable
from support.optimizers import cases


class Momentum(keras.optimizers.Optimizer):
    """SGD with momentum, spelled as the documentation of Keras spells one's own."""

    def __init__(self, learning_rate=0.01, momentum=0.9, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momentums = []
        for variable in variables:
            self.momentums.append(
                self.add_variable_from_reference(reference_variable=variable, name="momentum")
            )

    def update_step(self, gradient, variable, learning_rate):
        learning_rate = ops.cast(learning_rate, variable.dtype)
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, m * self.momentum - gradient * learning_rate)
        self.assign_add(variable, m)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


class Rooted(keras.optimizers.Optimizer):
    """Reads `iterations` and `learning_rate`, and counts in a scalar of its own."""

    def build(self, variables):
        super().build(variables)
        self.seen = self.add_variable((), name="seen", dtype="float32")

    def update_step(self, gradient, variable, learning_rate):
        step = ops.cast(self.iterations + 1, "float32")
        self.assign_add(self.seen, 1.0)
        self.assign_sub(variable, self.learning_rate * gradient / ops.sqrt(step))


def flat(arrays):
    return np.concatenate([np.asarray(array, np.float32).ravel() for array in arrays])


def ten_steps(optimizer, **how):
    model = cases.network(keras)
    model.compile(optimizer, "mse", **how)
    cases.trained(model)
    return model


@pytest.mark.parametrize("common", ["none", "accumulation, clipped and decayed", "ema overwrites"])
def test_an_optimizer_in_keras_spelling_is_the_one_of_the_package(common):
    arguments = {"learning_rate": 0.05, "momentum": 0.9, **cases.COMMON.get(common, {})}
    own, ours = ten_steps(Momentum(**arguments)), ten_steps(optimizers.SGD(**arguments))
    np.testing.assert_allclose(
        flat(own.get_weights()), flat(ours.get_weights()), rtol=1e-6, atol=1e-7
    )
    theirs = [v.path.partition("/")[2] for v in ours.optimizer.variables]
    assert [v.path.partition("/")[2] for v in own.optimizer.variables] == theirs
    twin = Momentum.from_config(own.optimizer.get_config())
    assert (twin.momentum, twin.use_ema) == (0.9, own.optimizer.use_ema)


def test_numbers_of_the_step_and_scalars_of_ones_own_are_known():
    weight = Variable(np.ones(2, np.float32), "w")
    optimizer = Rooted(0.5)
    for _ in range(3):
        optimizer.apply([np.ones(2)], [weight])
    expected = 1.0 - 0.5 * (1.0 + 2**-0.5 + 3**-0.5)
    np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-6)
    assert optimizer.seen.numpy() == 3.0
    model = ten_steps(Rooted(0.01), steps_per_execution=1)
    assert model.optimizer.seen.numpy() == 10.0 * len(model.trainable_weights)
    assert isinstance(model.optimizer.iterations, int)


def test_update_step_of_an_optimizer_of_the_package_can_be_called_on():
    class Doubled(optimizers.SGD):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient * 2.0, variable, learning_rate)

    for momentum in (0.0, 0.9):
        own = ten_steps(Doubled(0.05, momentum))
        ours = ten_steps(optimizers.SGD(0.1, momentum))
        np.testing.assert_allclose(
            flat(own.get_weights()), flat(ours.get_weights()), rtol=1e-5, atol=1e-6
        )


def test_what_is_missing_is_named():
    class Empty(keras.optimizers.Optimizer):
        pass

    with pytest.raises(NotImplementedError, match="Empty defines neither `update"):
        Empty(0.1).apply([np.ones(1)], [np.ones(1)])
    with pytest.raises(RuntimeError, match="`update_step` is called by `apply`"):
        optimizers.SGD().update_step(np.ones(1), Variable(np.ones(1), "w"), 0.1)


def test_a_variable_of_another_model_is_refused():
    model = ten_steps(Momentum(0.05))
    other = Variable(np.ones(2, np.float32), "other")
    with pytest.raises(ValueError, match=r"Unknown variable: .*other"):
        model.optimizer.apply([np.ones(2)], [other])


def test_variables_for_several_names_are_made_in_turn():
    weights = [Variable(np.ones(2, np.float32), name) for name in ("a", "b")]
    optimizer = Momentum(name="own")
    first, second = optimizer.add_optimizer_variables(weights, ["m", "v"], ["zeros", "ones"])
    made = [variable.path for variable in optimizer._extra]
    assert made == ["own/a_m", "own/a_v", "own/b_m", "own/b_v"]
    assert [float(v.numpy()[0]) for v in (*first, *second)] == [0.0, 0.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="number of provided names must match"):
        optimizer.add_optimizer_variables(weights, ["m"], ["zeros", "ones"])
    with pytest.raises(ValueError, match="`layout` must be None"):
        optimizer.add_variable((), layout="rows")
