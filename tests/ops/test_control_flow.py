"""Choices and loops with the user's functions as bodies: eager, in models, differentiated."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import ops
from seqonnx.errors import GradientError
from support.ops import flat

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]], np.float32)


def both(function, *arrays):
    """Results of a function on arrays and, in a model of fixed sizes, on symbolic tensors."""
    inputs = [keras.Input(batch_shape=array.shape, dtype=array.dtype.name) for array in arrays]
    eager = function(*arrays)
    model = keras.Model(inputs, function(*inputs))
    found = model(list(arrays) if len(arrays) > 1 else arrays[0])
    for a, b in zip(flat(eager), flat(found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    return eager


class Chooses(keras.layers.Layer):
    def call(self, x):
        return ops.cond(ops.sum(x) > 0, lambda: x * 2, lambda: x - 1)


def test_cond_takes_one_branch():
    assert ops.cond(True, lambda: 1, lambda: 2) == 1
    assert ops.cond(np.array(False), lambda: np.float32(1), lambda: np.float32(2)) == 2
    layer = Chooses()
    np.testing.assert_array_equal(layer(X), X * 2)
    np.testing.assert_array_equal(layer(-X), -X - 1)
    x = keras.Input((3,))
    model = keras.Model(x, layer(x))
    np.testing.assert_array_equal(model(X), X * 2)
    np.testing.assert_array_equal(model.predict(-X, verbose=0), -X - 1)


def test_branches_may_differ_in_dtype_but_not_in_form():
    found = ops.cond(np.array(True), lambda: np.array([1]), lambda: np.array([1.5], np.float32))
    assert found.dtype == np.float32
    with pytest.raises(ValueError, match="must return structures of the same form"):
        ops.cond(np.array(True), lambda: (X, X), lambda: X)


def test_switch_limits_the_number_of_the_branch():
    branches = [lambda x: x, lambda x: x * 2, lambda x: x * 3]
    for index, factor in ((-4, 1), (0, 1), (1, 2), (2, 3), (9, 3)):
        np.testing.assert_array_equal(ops.switch(np.array(index), branches, X), X * factor)


def test_while_loop_repeats_as_long_as_a_condition_holds():
    doubled = both(lambda x: ops.while_loop(lambda y: ops.max(y) < 50, lambda y: y * 2, x), X)
    np.testing.assert_array_equal(doubled, X * 16)
    i, total = ops.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, s + i), (0, 0))
    assert (int(i), int(total)) == (5, 10)
    limited = ops.while_loop(lambda y: True, lambda y: y + 1, np.array(0), maximum_iterations=7)
    assert limited == 7


def test_fori_loop_counts():
    found = both(lambda x: ops.fori_loop(2, 5, lambda i, y: y + ops.cast(i, "float32"), x), X)
    np.testing.assert_array_equal(found, X + 9)


def test_scan_carries_a_state_and_collects_results():
    state, sums = both(lambda x: ops.scan(lambda s, part: (s + part, s * part), x[0] * 0, x), X)
    np.testing.assert_array_equal(state, X.sum(0))
    np.testing.assert_array_equal(sums, [np.zeros(3), X[0] * X[1]])
    last, backwards = ops.scan(lambda s, v: (s + v, s), np.float32(0), X[0], reverse=True)
    assert last == 2
    np.testing.assert_array_equal(backwards, [1.0, 3.0, 0.0])
    count, none = ops.scan(lambda s, part: (s + 1, None), np.array(0), length=4)
    assert (int(count), none) == (4, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"f": 3, "init": 0, "xs": X}, "`f` should be a callable"),
        ({"f": lambda s, x: (s, x), "init": 0}, "Got no `xs` to scan over"),
        ({"f": lambda s, x: (s, x), "init": 0, "xs": X, "unroll": 0}, "positive integer"),
    ],
)
def test_scan_refuses_with_the_texts_of_keras(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ops.scan(**arguments)


def test_map_applies_a_function_to_each_part():
    for function in (ops.map, ops.vectorized_map):
        np.testing.assert_array_equal(function(lambda row: row * row[0], X), X * X[:, :1])
    pairs = ops.map(lambda ab: ab[0] - ab[1], (X, X * 2))
    np.testing.assert_array_equal(pairs, -X)


def test_associative_scan_gives_what_is_so_far():
    rows = np.arange(1.0, 11, dtype=np.float32).reshape(5, 2)
    found = both(lambda x: ops.associative_scan(lambda a, b: a + b, x, axis=1), rows)
    np.testing.assert_array_equal(found, rows.cumsum(1))
    found = ops.associative_scan(ops.maximum, X, axis=1, reverse=True)
    np.testing.assert_array_equal(found, [[3, 3, 3], [4, 4, -1]])


def test_bodies_nest_and_read_what_is_around_them():
    def loop(x):
        scale = ops.mean(x)

        def step(i, total):
            return ops.cond(
                i % 2 == 0,
                lambda: total + ops.fori_loop(0, 2, lambda j, t: t + scale, ops.zeros(())),
                lambda: total,
            )

        return ops.fori_loop(0, 5, step, x)

    class Nested(keras.layers.Layer):
        def call(self, x):
            return loop(x)

    np.testing.assert_allclose(loop(X), X + 6 * X.mean(), rtol=1e-6)
    x = keras.Input((3,))
    model = keras.Model(x, Nested()(x))
    np.testing.assert_allclose(model(X), X + 6 * X.mean(), rtol=1e-6)


class Loops(keras.layers.Layer):
    def build(self, shape):
        self.w = self.add_weight((shape[-1],), "ones", name="w")

    def call(self, x):
        y = ops.fori_loop(0, 3, lambda i, y: y * self.w, x)
        return ops.cond(ops.sum(y) > -100, lambda: y * self.w, lambda: y)


def test_weights_inside_of_bodies_learn():
    layer = Loops()
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    model.fit(X, X * 16, epochs=1, batch_size=2, verbose=0, shuffle=False)
    # d mean((x w^4 - 16 x)^2) / dw at w = 1
    wanted = 1 - 1e-3 * (2 * (X - 16 * X) * 4 * X).sum(0) / X.size
    np.testing.assert_allclose(np.asarray(layer.w), wanted, rtol=1e-5)


def test_function_as_an_argument_is_refused_by_files(tmp_path):
    x = keras.Input((3,))
    model = keras.Model(x, ops.map(lambda row: row * 2, x))
    with pytest.raises(ValueError, match="A function that is an argument of a call cannot be"):
        model.save(tmp_path / "m.onnx")


def test_symbolic_tensor_from_outside_of_a_body_is_refused():
    x, y = keras.Input((3,)), keras.Input((3,))
    with pytest.raises(RuntimeError, match="in a trace on a symbolic tensor from outside"):
        ops.map(lambda row: row * y, x)


def test_stop_gradient_keeps_the_value_and_stops_learning():
    class Stops(keras.layers.Layer):
        def build(self, shape):
            self.a = self.add_weight((3,), "ones", name="a")
            self.b = self.add_weight((3,), "ones", name="b")

        def call(self, x):
            return x * self.a * self.b + ops.stop_gradient(x * self.a) * 2

    layer = Stops()
    model = keras.Sequential([keras.Input((3,)), layer])
    np.testing.assert_array_equal(model.predict(X, verbose=0), X * 3)
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(X, X * 0, epochs=1, batch_size=2, verbose=0)
    # (3 x)^2 / n: only the first term depends on a.
    wanted = 1 - 0.01 * (2 * 3 * X * X).sum(0) / X.size
    np.testing.assert_allclose(np.asarray(layer.a), wanted, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(layer.b), wanted, rtol=1e-5)


def test_weight_that_only_a_stopped_path_reaches_is_named():
    x = keras.Input((3,))
    model = keras.Model(x, ops.stop_gradient(keras.layers.Dense(2, name="first")(x)))
    model.compile("sgd", "mse")
    with pytest.raises(GradientError, match="`stop_gradient` was called"):
        model.fit(X, X[:, :2], verbose=0)
