"""Steps on variables, and the state of an optimizer as Keras stores it."""

from __future__ import annotations

import re

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import optimizers
from seqonnx.graph import Variable
from seqonnx.optimizers import LossScaleOptimizer, MultiOptimizer, OptimizerMap
from support.optimizers import cases


def weights():
    rng = np.random.default_rng(1)
    shapes = {"dense/kernel": (3, 2), "dense/bias": (2,)}
    return [
        Variable(rng.normal(size=shape).astype(np.float32), path[6:], path=path)
        for path, shape in shapes.items()
    ]


GRADS = [np.full((3, 2), 0.5, np.float32), np.array([1.0, -2.0], np.float32)]


def flat(arrays):
    return np.concatenate([np.asarray(array, np.float32).ravel() for array in arrays])


@pytest.mark.parametrize("name", ["Adam with ema with accumulation", "Adafactor", "Muon", "Nadam"])
def test_steps_on_variables_are_those_on_arrays(name):
    on_variables, on_arrays = cases.optimizer(keras, name), cases.optimizer(keras, name)
    variables = weights()
    arrays = [v.numpy() for v in variables]
    for number in range(4):
        taken = on_variables.apply_gradients(zip(GRADS, variables, strict=True))
        arrays = on_arrays.apply(GRADS, arrays)
        assert taken == number + 1
        assert on_arrays.iterations == taken // on_arrays._steps_per_update
    for variable, array in zip(variables, arrays, strict=True):
        np.testing.assert_allclose(variable.numpy(), array, rtol=1e-6)
    for _ in range(3):
        on_variables.apply(GRADS)
    assert not np.array_equal(variables[1].numpy(), arrays[1])


@pytest.mark.parametrize("name", ["Adam with ema with accumulation", "Adafactor", "multi", "Nadam"])
def test_a_state_that_is_stored_and_loaded_goes_on_the_same(name):
    mine, twin = weights(), weights()
    first, second = cases.optimizer(keras, name), cases.optimizer(keras, name)
    for _ in range(4):
        first.apply(GRADS, mine)
    store = {}
    first.save_own_variables(store)
    assert list(store) == [str(number) for number in range(len(first.variables))]
    second.build(twin)
    second.load_own_variables(store)
    for target, source in zip(twin, mine, strict=True):
        target.assign(source.numpy())
    for _ in range(3):
        first.apply(GRADS, mine)
        second.apply(GRADS, twin)
    for one, other in zip(first.variables, second.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    for one, other in zip(mine, twin, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_building_for_a_compiled_model_shows_the_slots_that_it_trains():
    model = cases.network(keras)
    model.compile(optimizers.Adam(0.01, name="a"), "mse")
    model.optimizer.build(model.trainable_variables)
    assert model.optimizer.built
    store = {str(i): v.numpy() for i, v in enumerate(model.optimizer.variables)}
    assert len(store) == 2 + 2 * len(model.trainable_weights)
    store["0"], store["2"] = np.array(7), np.ones_like(store["2"])
    model.optimizer.load_own_variables(store)
    assert model.optimizer.iterations == 7
    model.train_on_batch(cases.X[:8], cases.Y[:8])
    assert model.optimizer.iterations == 8
    assert 0.85 < model.optimizer.variables[2].numpy().mean() < 0.95  # 0.9 of the ones
    kernel = model.trainable_weights[0].numpy()
    grads = [np.ones(weight.shape, np.float32) for weight in model.trainable_weights]
    model.optimizer.apply(grads, model.trainable_weights)
    assert not np.array_equal(kernel, model.trainable_weights[0].numpy())
    assert model.optimizer.iterations == 9


def test_a_store_that_does_not_fit_is_refused_with_a_warning():
    optimizer = optimizers.Adam(name="a")
    text = "Skipping variable loading for optimizer 'a', because it has 2 variables whereas"
    with pytest.warns(UserWarning, match=re.escape(text)):
        optimizer.load_own_variables({"0": np.array(3)})
    assert optimizer.iterations == 0
    with pytest.raises(ValueError, match=r"calling `set_weights\(\)` on an optimizer that has not"):
        optimizer.set_weights([])
    optimizer.build(weights())
    values = [variable.numpy() for variable in optimizer.variables]
    with pytest.raises(ValueError, match=r"has shape \(3, 2\) not compatible .* shape \(2, 3\)"):
        optimizer.set_weights([v.T for v in values])
    optimizer.set_weights([np.array(5), np.float32(0.5), *values[2:]])
    assert (optimizer.iterations, optimizer.learning_rate) == (5, 0.5)


def test_a_stateless_step_returns_what_a_step_would_leave_and_changes_nothing():
    variables = weights()
    optimizer = optimizers.Adam(0.1)
    with pytest.raises(ValueError, match="Adam must be built"):
        optimizer.stateless_apply([], GRADS, variables)
    optimizer.build(variables)
    state = [v.numpy() for v in optimizer.variables]
    values = [v.numpy() for v in variables]
    new, kept = optimizer.stateless_apply(state, GRADS, values)
    assert optimizer.iterations == 0
    np.testing.assert_array_equal(flat(v.numpy() for v in variables), flat(values))
    optimizer.apply(GRADS, variables)
    np.testing.assert_array_equal(flat(v.numpy() for v in variables), flat(new))
    np.testing.assert_array_equal(flat(v.numpy() for v in optimizer.variables), flat(kept))
    with pytest.raises(ValueError, match="expected 6 variables"):
        optimizer.stateless_apply(state[:-1], GRADS, values)


def test_gradients_that_are_missing_are_told():
    variables = weights()
    optimizer = optimizers.SGD(0.5, use_ema=True)
    with pytest.raises(ValueError, match="must already be built on a list of variables"):
        optimizer.apply(GRADS)
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.apply([None, None], variables)
    before = variables[0].numpy()
    with pytest.warns(UserWarning, match="Gradients do not exist for variables"):
        optimizer.apply([None, GRADS[1]], variables)
    np.testing.assert_array_equal(variables[0].numpy(), before)
    averages = [v.numpy() for v in optimizer.variables if "average" in v.path]
    np.testing.assert_array_equal(averages[0], before)
    with pytest.raises(ValueError, match=r"Received a list of 1 gradients, but .* tracking 2"):
        optimizer.apply(GRADS[:1])
    with pytest.raises(ValueError, match=r"shape \(2,\). Received: a gradient of shape \(3, 2\)"):
        optimizer.apply([GRADS[0]], variables[1:])


def test_the_end_of_averages_needs_their_weights():
    variables = weights()
    optimizer = optimizers.SGD(0.5, use_ema=True)
    optimizer.apply(GRADS, variables)
    with pytest.raises(ValueError, match=r"The length of model variables \(1\) to override"):
        optimizer.finalize_variable_values(variables[:1])
    optimizers.SGD().finalize_variable_values(variables)


def test_a_scaled_loss_is_scaled_back_and_what_is_not_finite_skipped():
    variables = weights()
    optimizer = LossScaleOptimizer(optimizers.SGD(0.5), initial_scale=8.0, dynamic_growth_steps=2)
    assert optimizer.scale_loss(2.0) == 16.0
    before = variables[1].numpy()
    optimizer.apply([8.0 * grad for grad in GRADS], variables)
    np.testing.assert_allclose(variables[1].numpy(), before - 0.5 * GRADS[1], rtol=1e-6)
    optimizer.apply([np.inf * grad for grad in GRADS], variables)
    np.testing.assert_allclose(variables[1].numpy(), before - 0.5 * GRADS[1], rtol=1e-6)
    assert optimizer.dynamic_scale.numpy() == 4.0
    assert optimizer.variables[4].numpy() == 1  # steps that were not skipped, as Keras counts
    assert optimizers.SGD(loss_scale_factor=4.0).scale_loss(2.0) == 8.0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"gradient_accumulation_steps": 1}, "`gradient_accumulation_steps` must be an integer"),
        ({"gradient_accumulation_steps": 2.5}, "integer >= 2. Received: gradient_accum"),
        ({"use_ema": True, "ema_momentum": 1.5}, "`ema_momentum` must be in the range [0, 1]"),
        ({"use_ema": True, "ema_overwrite_frequency": 0}, "must be an integer >= 1 or None"),
        ({"loss_scale_factor": 0.0}, "`loss_scale_factor` must be a positive number"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        optimizers.Adam(**arguments)
    with pytest.raises(ValueError, match="LossScaleOptimizer does not take"):
        LossScaleOptimizer(optimizers.SGD(), **arguments)


def test_decay_of_earlier_versions_of_keras_is_left_out_with_a_warning():
    with pytest.warns(UserWarning, match="Argument `decay` is no longer supported"):
        optimizers.SGD(0.5, decay=0.1)


def test_rates_are_functions_with_and_without_the_number_of_steps():
    rates = iter([0.5, 0.25])
    optimizer = optimizers.SGD(lambda: next(rates))
    values = optimizer.apply([np.ones(1)], [np.zeros(1)])
    values = optimizer.apply([np.ones(1)], values)
    np.testing.assert_allclose(values[0], [-0.75])
    assert optimizers.SGD(lambda rate=0.125: rate).learning_rate == 0.125

    class Own(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            step = keras.ops.cast(step, "float32")
            return keras.ops.minimum(0.5, 1.0 / (step + 1.0))

    assert optimizers.SGD(Own())._learning_rate_at(3) == 0.25


def test_optimizers_are_chosen_by_the_path_of_a_variable():
    sgd, adam, usual = optimizers.SGD(), optimizers.Adam(), optimizers.Lion()
    chosen = OptimizerMap(usual, {"encoder/.*": sgd})
    chosen["encoder/a/kernel"] = adam
    assert chosen["encoder/a/kernel"] is adam
    assert chosen["encoder/b"] is sgd
    assert chosen["encoder"] is usual is chosen.default_optimizer
    assert (len(chosen), list(chosen)) == (2, ["encoder/.*", "encoder/a/kernel"])
    chosen[".*/b"] = adam
    with pytest.raises(ValueError, match="Multiple optimizers assigned to variable encoder/b"):
        chosen["encoder/b"]
    del chosen[".*/b"]
    with pytest.raises(ValueError, match=r"'encoder/\.\*' already exists in the OptimizerMap"):
        chosen["encoder/.*"] = adam
    with pytest.raises(ValueError, match=r"key must be a string. Received: 3"):
        chosen[3] = adam
    with pytest.raises(ValueError, match="optimizer must be an Optimizer instance"):
        chosen["x"] = "adam"
    with pytest.raises(ValueError, match="optimizer cannot be LossScaleOptimizer"):
        chosen["x"] = LossScaleOptimizer(optimizers.SGD())
    with pytest.raises(TypeError, match="default_optimizer must be an Optimizer instance"):
        OptimizerMap("sgd")
    with pytest.raises(TypeError, match="optimizer_map must be a dictionary"):
        OptimizerMap(usual, [sgd])


def test_a_multi_optimizer_has_no_rate_of_its_own_and_is_saved():
    chosen = OptimizerMap(optimizers.Adam(name="a"), {"x/.*": optimizers.SGD(0.5, name="s")})
    optimizer = MultiOptimizer(chosen, loss_scale_factor=4.0, name="m")
    assert not hasattr(optimizer, "learning_rate")
    with pytest.raises(AttributeError, match="cannot be set on a MultiOptimizer"):
        optimizer.learning_rate = 0.1
    assert [each.name for each in optimizer.optimizers] == ["s", "a"]
    assert [each.loss_scale_factor for each in optimizer.optimizers] == [4.0, 4.0]
    twin = optimizers.deserialize(optimizers.serialize(optimizer))
    assert twin.get_config() == optimizer.get_config()
    assert [each.learning_rate for each in twin.optimizers] == [0.5, 0.001]
    with pytest.raises(ValueError, match="is not an Optimizer instance"):
        MultiOptimizer(lambda variable: "sgd").build(weights())
    with pytest.raises(ValueError, match="MultiOptimizer cannot be used inside an MultiOptimizer"):
        MultiOptimizer(lambda variable: optimizer).build(weights())
    with pytest.raises(TypeError, match="must be an OptimizerMap, or a function"):
        MultiOptimizer({"x": optimizers.SGD()})


def test_a_function_chooses_optimizers_too():
    slow, fast = optimizers.SGD(0.125), optimizers.SGD(0.5)
    variables = weights()
    before = [v.numpy() for v in variables]
    optimizer = MultiOptimizer(lambda v: slow if v.path.endswith("bias") else fast)
    optimizer.apply(GRADS, variables)
    np.testing.assert_allclose(variables[0].numpy(), before[0] - 0.5 * GRADS[0], rtol=1e-6)
    np.testing.assert_allclose(variables[1].numpy(), before[1] - 0.125 * GRADS[1], rtol=1e-6)
    assert (optimizer.iterations, slow.iterations, fast.iterations) == (1, 1, 1)
