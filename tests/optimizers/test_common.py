"""Behaviour common to all optimizers: clipping, weight decay, learning rates, checks."""

from __future__ import annotations

import re

import numpy as np
import pytest

from seqonnx import optimizers
from seqonnx.graph import Emitter, Variable
from seqonnx.optimizers import schedules
from seqonnx.runtime.program import run_emission

G = [np.array([3.0, 4.0]), np.array([[0.0, 12.0]])]
ZERO = [np.zeros(2), np.zeros((1, 2))]


def clipped(grads=G, **how):
    """The gradients that reach the update: minus one step of SGD from zero."""
    return [-p for p in optimizers.SGD(1.0, **how).apply(grads, ZERO)]


def test_clipnorm_shortens_each_gradient_that_is_too_long():
    first, second = clipped(clipnorm=6.0)
    np.testing.assert_allclose(first, [3.0, 4.0])
    np.testing.assert_allclose(second, [[0.0, 6.0]])


def test_clipvalue_cuts_each_element():
    first, second = clipped(clipvalue=3.5)
    np.testing.assert_allclose(first, [3.0, 3.5])
    np.testing.assert_allclose(second, [[0.0, 3.5]])


def test_global_clipnorm_shortens_all_by_one_factor():
    first, second = clipped(global_clipnorm=6.5)
    np.testing.assert_allclose(first, [1.5, 2.0])
    np.testing.assert_allclose(second, [[0.0, 6.0]])
    first, second = clipped(global_clipnorm=13.5)
    np.testing.assert_allclose(second, G[1])


def test_zero_gradients_survive_every_clipping():
    for how in ("clipnorm", "clipvalue", "global_clipnorm"):
        for grad in clipped(ZERO, **{how: 1.0}):
            np.testing.assert_array_equal(grad, 0.0)


def test_two_ways_to_clip_are_refused():
    text = (
        "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
        "Received: clipnorm=1, clipvalue=2, global_clipnorm=None"
    )
    with pytest.raises(ValueError, match=re.escape(text)):
        optimizers.Adam(clipnorm=1, clipvalue=2)


def test_limit_must_be_positive():
    with pytest.raises(
        ValueError, match=r"`clipnorm` must be greater than 0. Received: clipnorm=0"
    ):
        optimizers.SGD(clipnorm=0)


def test_weight_decay_comes_before_the_update_and_scales_with_the_rate():
    w = optimizers.SGD(0.1, weight_decay=0.5).apply([np.array([2.0])], [np.array([4.0])])[0]
    np.testing.assert_allclose(w, [4.0 - 0.1 * 0.5 * 4.0 - 0.1 * 2.0])


def decayed(optimizer, names):
    """Which of the named variables lose weight in a step with zero gradients."""

    def emit(op: Emitter, values):
        lr, step, *params = values
        grads = [op.Mul(p, 0.0) for p in params]
        return optimizer._emit(op, params, grads, [{} for _ in params], lr, step, names)[0]

    one = np.ones((), np.float32)
    arrays = [one, one, *(np.ones(2, np.float32) for _ in names)]
    after = run_emission(emit, [], key=object(), fixed=arrays)
    return [name for name, value in zip(names, after, strict=True) if value[0] < 1.0]


def test_excluded_variables_keep_their_weight():
    names = ["m/dense/kernel", "m/dense/bias", "m/norm/gamma"]
    optimizer = optimizers.SGD(weight_decay=0.5)
    assert decayed(optimizer, names) == names
    optimizer.exclude_from_weight_decay(var_names=["bias", "norm/"])
    assert decayed(optimizer, names) == names[:1]
    gamma = Variable(np.ones(2, np.float32), "gamma", path="m/norm/gamma")
    optimizer.exclude_from_weight_decay(var_list=[gamma])
    assert decayed(optimizer, names) == names[:2]


def test_unknown_argument_is_refused():
    with pytest.raises(ValueError, match=re.escape("Argument(s) not recognized: {'lr': 0.1}")):
        optimizers.SGD(lr=0.1)


def test_learning_rate_is_settable_between_steps():
    optimizer = optimizers.SGD(0.1)
    assert optimizer.learning_rate == 0.1
    w = optimizer.apply([np.array([1.0])], [np.array([0.0])])
    optimizer.learning_rate = 0.5
    assert optimizer.learning_rate == 0.5
    np.testing.assert_allclose(optimizer.apply([np.array([1.0])], w)[0], [-0.6])
    assert optimizer.iterations == 2


def test_schedule_gives_the_rate_of_each_step_from_0():
    optimizer = optimizers.SGD(schedules.PiecewiseConstantDecay([0, 1], [1.0, 10.0, 100.0]))
    w = [np.array([0.0])]
    for total in (-1.0, -11.0, -111.0):
        w = optimizer.apply([np.array([1.0])], w)
        np.testing.assert_allclose(w[0], [total])
    assert optimizers.SGD(lambda step: 0.5 * step)._learning_rate_at(4) == 2.0


def test_rate_of_a_schedule_is_not_settable():
    optimizer = optimizers.SGD(schedules.ExponentialDecay(0.1, 10, 0.9))
    text = (
        "This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` "
        "constructor argument, hence its learning rate is not settable."
    )
    with pytest.raises(TypeError, match=re.escape(text)):
        optimizer.learning_rate = 0.5
    optimizer.learning_rate = schedules.InverseTimeDecay(0.2, 10, 0.9)
    assert optimizer.learning_rate == 0.2


@pytest.mark.parametrize("value", ["fast", None, True, [0.1]])
def test_rate_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="Argument `learning_rate` should be float") as caught:
        optimizers.SGD(value)
    assert str(caught.value).endswith(f"Received instead: learning_rate={value}")


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match=r"shapes of grads=\[\(3,\)\], shapes of params=\[\(2,\)\]"
    ):
        optimizers.SGD().apply([np.zeros(3)], [np.zeros(2)])
    with pytest.raises(ValueError, match="must have the same shapes"):
        optimizers.SGD().apply([], [np.zeros(2)])


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"`momentum` must be a float .*Received: momentum=2"):
        optimizers.SGD(momentum=2)
    with pytest.raises(ValueError, match="`weight_decay` must be a float"):
        optimizers.AdamW(weight_decay=None)
    with pytest.raises(ValueError, match="Received: beta_1=0"):
        optimizers.Lion(beta_1=0)
    with pytest.raises(ValueError, match="Received: learning_rate_power=1"):
        optimizers.Ftrl(learning_rate_power=1)
    with pytest.raises(ValueError, match="Received: l1_regularization_strength=-1"):
        optimizers.Ftrl(l1_regularization_strength=-1)


def test_optimizer_of_ones_own():
    class SignDescent(optimizers.Optimizer):
        def update(self, op, param, grad, slots, scalars):
            return op.Sub(param, op.Mul(op.Sign(grad), scalars["lr"])), {}

    new = SignDescent(0.5, clipnorm=1.0).apply([np.array([3.0, -4.0])], [np.zeros(2)])[0]
    np.testing.assert_allclose(new, [-0.5, 0.5])


def test_variables_of_two_types_share_a_step():
    params = [np.ones(2, np.float32), np.ones(2, np.float64)]
    grads = [np.ones(2), np.ones(2)]
    new = optimizers.Adam(0.5, weight_decay=0.1).apply(grads, params)
    assert [p.dtype for p in new] == [np.float32, np.float64]
    np.testing.assert_allclose(new[0], new[1], rtol=1e-5)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Lion", "Ftrl"])
def test_a_scalar_stays_a_scalar(name):
    """A step on a number is that on an array of one, and keeps its rank; clipping included."""
    for options in ({}, {"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.1}):
        scalar, vector = (getattr(optimizers, name)(0.1, **options) for _ in range(2))
        for _ in range(2):
            new = scalar.apply([0.5], [1.0])[0]
            assert new.shape == ()
            assert float(new) == vector.apply([[0.5]], [[1.0]])[0][0]
