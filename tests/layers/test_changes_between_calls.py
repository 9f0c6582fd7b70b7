"""A layer, a loss or a function may change between two calls: the newer state counts."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from seqonnx import layers, losses, ops

ONE = np.ones((1, 2), np.float32)


class Times(layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor


class TimesByEmitter(Times):
    def call(self, op, x, training):
        return op.Mul(x, self.factor)


@pytest.mark.parametrize("cls", [Times, TimesByEmitter])
def test_an_attribute_of_a_layer_counts_as_it_is_at_the_call(cls):
    layer = cls(2.0)
    assert layer(ONE)[0, 0] == 2.0
    layer.factor = 5.0
    assert layer(ONE)[0, 0] == 5.0


def test_a_function_among_the_arguments_of_a_call_is_not_taken_for_an_earlier_one():
    class Applied(layers.Layer):
        def call(self, x, function=None):
            return function(x)

    layer, seen = Applied(), []
    for factor in range(4):
        seen.append(layer(ONE, function=eval(f"lambda x: x * {factor}.0"))[0, 0])
        gc.collect()
    assert seen == [0.0, 1.0, 2.0, 3.0]


def test_a_function_of_functions_sees_what_they_read_now():
    factor = 2.0

    def scaled(x):
        return x * factor

    first = ops.map(scaled, ONE)
    factor = 3.0
    np.testing.assert_array_equal(ops.map(scaled, ONE), first * 1.5)


def test_an_attribute_of_a_loss_counts_as_it_is_at_the_call():
    class Weighted(losses.Loss):
        def __init__(self):
            super().__init__()
            self.factors, self.scale = [1.0], 1.0

        def call(self, y_true, y_pred):
            return ops.mean(ops.abs(y_pred - y_true), axis=-1) * self.scale * self.factors[0]

    loss = Weighted()
    seen = [loss([[0.0]], [[1.0]])]
    loss.scale = 2.0
    seen.append(loss([[0.0]], [[1.0]]))
    loss.factors[0] = 5.0
    seen.append(loss([[0.0]], [[1.0]]))
    assert seen == [1.0, 2.0, 10.0]
