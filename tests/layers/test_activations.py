"""Activations have Keras's values, are safe for any float and go by Keras's names."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seqonnx import activations
from seqonnx.graph import Emitter
from seqonnx.layers import Activation
from support.layers.emission import emit, evaluate, runtime
from support.layers.layer_gradients import check_gradients

RNG = np.random.default_rng(5)

X = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])

GOLDEN = {
    "elu": [-0.950213, -0.632121, 0, 1, 3],
    "selu": [-1.670569, -1.111331, 0, 1.050701, 3.152103],
    "gelu": [-0.00405, -0.158655, 0, 0.841345, 2.99595],
    "silu": [-0.142278, -0.268941, 0, 0.731059, 2.857722],
    "swish": [-0.142278, -0.268941, 0, 0.731059, 2.857722],
    "hard_sigmoid": [0, 1 / 3, 0.5, 2 / 3, 1],
    "mish": [-0.145647, -0.303402, 0, 0.865098, 2.986535],
    "softplus": [0.048587, 0.313262, 0.693147, 1.313262, 3.048587],
    "relu": [0, 0, 0, 1, 3],
    "relu6": [0, 0, 0, 1, 3],
    "linear": [-3, -1, 0, 1, 3],
    "leaky_relu": [-0.6, -0.2, 0, 1, 3],
    "hard_tanh": [-1, -1, 0, 1, 1],
    "hard_shrink": [-3, -1, 0, 1, 3],
    "soft_shrink": [-2.5, -0.5, 0, 0.5, 2.5],
    "sparse_sigmoid": [0, 0, 0.5, 1, 1],
    "sparse_plus": [0, 0, 0.25, 1, 3],
    "softsign": [-0.75, -0.5, 0, 0.5, 0.75],
}

DEFINITIONS = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "exponential": math.exp,
    "celu": lambda x: x if x > 0 else math.exp(x) - 1,
    "hard_swish": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "hard_silu": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "log_sigmoid": lambda x: -math.log(1 + math.exp(-x)),
    "tanh_shrink": lambda x: x - math.tanh(x),
    "squareplus": lambda x: (x + math.sqrt(x * x + 4)) / 2,
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "softplus": lambda x: math.log1p(math.exp(x)),
}


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_is_that_of_keras(name, dtype):
    y = evaluate(activations.get(name), X.astype(dtype))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, GOLDEN[name], atol=6e-7)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_value_is_that_of_the_definition(name):
    x = np.linspace(-6, 6, 25)
    expected = [DEFINITIONS[name](v) for v in x]
    np.testing.assert_allclose(evaluate(activations.get(name), x), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", sorted({*GOLDEN, *DEFINITIONS} - {"exponential"}))
def test_no_float_gives_nan_in_the_runtime(name):
    x = np.array([-1e18, -1e4, -90, -20, -1e-30, 0, 1e-30, 20, 90, 1e4, 1e18], np.float32)
    y = runtime(emit(activations.get(name), x), {"x0": x})[0]
    assert np.isfinite(y).all()


@pytest.mark.parametrize("name", ["softplus", "mish"])
def test_digits_survive_far_below_zero(name):
    x = np.array([-40.0, -20.0, -10.0], np.float32)
    y = runtime(emit(activations.get(name), x), {"x0": x})[0]
    np.testing.assert_allclose(y, [DEFINITIONS[name](float(v)) for v in x], rtol=1e-5)


def test_mish_does_not_overflow_in_half_precision():
    x = np.array([-5, 0, 5, 11, 6e4], np.float16)
    y = evaluate(activations.mish, x)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, [-0.03357, 0, 5, 11, 6e4], rtol=2e-3, atol=1e-4)


def test_tanh_form_of_gelu():
    y = evaluate(lambda op, x: activations.gelu(op, x, approximate=True), X)
    np.testing.assert_allclose(y, [-0.003637, -0.158808, 0, 0.841192, 2.996363], atol=6e-7)


def test_softmax_and_its_logarithm_are_over_the_last_axis():
    x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    expected = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(evaluate(activations.softmax, x), expected, rtol=1e-12)
    np.testing.assert_allclose(evaluate(activations.log_softmax, x), np.log(expected), rtol=1e-12)


def test_glu_halves_the_last_axis():
    x = np.array([[1.0, 2.0, 0.0, 1.0]])
    expected = [[1.0 * 0.5, 2.0 / (1 + math.exp(-1.0))]]
    np.testing.assert_allclose(evaluate(activations.glu, x), expected, rtol=1e-12)


def test_none_is_linear_and_a_function_is_itself():
    def twice(op, x):
        return op.Mul(x, 2.0)

    assert activations.get(None) is activations.linear
    assert activations.get(twice) is twice
    np.testing.assert_array_equal(evaluate(twice, X), 2 * X)


@pytest.mark.parametrize("name", sorted({*GOLDEN, *DEFINITIONS}))
def test_name_survives_serialization(name):
    function = activations.get(name)
    assert activations.get(activations.serialize(function)) is function


def test_unknown_name_is_refused():
    with pytest.raises(
        ValueError, match=r"^Could not interpret activation function identifier: foo\. Expected "
    ):
        activations.get("foo")


KERAS = {
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
}


def test_every_name_of_keras_is_there():
    """As `dir(keras.activations)` of Keras 3.15.1 lists them."""
    assert set(dir(activations)) >= KERAS
    assert activations.swish is activations.silu
    assert activations.hard_swish is activations.hard_silu
    assert activations.serialize(activations.hard_swish) == "hard_silu"


LOGITS = np.array([[1.0, 2.0, 0.5, 1.8], [0.1, 0.1, 0.1, 0.1], [-3.0, 5.0, 0.0, 4.5]])

# By hand, from the definition: Keras 3.15.1 sums the wrong sums and gives no distribution.
SPARSEMAX = {
    -1: [[0, 0.6, 0, 0.4], [0.25] * 4, [0, 0.75, 0, 0.25]],
    0: [[0.95, 0, 0.6333333, 0], [0.05, 0, 0.2333333, 0], [0, 1, 0.1333333, 1]],
}


@pytest.mark.parametrize("axis", SPARSEMAX)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparsemax_is_that_of_the_definition(axis, dtype):
    def emission(op, x):
        return activations.sparsemax(op, x, axis)

    x = LOGITS.astype(dtype)
    np.testing.assert_allclose(evaluate(emission, x), SPARSEMAX[axis], atol=1e-6)
    np.testing.assert_allclose(runtime(emit(emission, x), {"x0": x})[0], SPARSEMAX[axis], atol=1e-6)


@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_sparsemax_is_the_nearest_point_of_the_simplex(axis):
    """No point that sums to 1 is nearer; also where sizes are known only to the running graph."""
    x = RNG.normal(size=(4, 5, 3))
    op = Emitter()
    op.output(activations.sparsemax(op, op.input("x", "float64", ("a", "b", "c")), axis), "y")
    (y,) = runtime(op, {"x": x})
    np.testing.assert_allclose(y.sum(axis), 1.0, rtol=1e-12)
    assert (y >= 0).all()
    for _ in range(20):
        other = RNG.dirichlet(np.ones(x.shape[axis]), 1)[0]
        other = np.expand_dims(other, [a for a in range(3) if a != axis % 3])
        assert (((other - x) ** 2).sum(axis) >= ((y - x) ** 2).sum(axis)).all()


@pytest.mark.parametrize("axis", [(1, 2), [0, -1], None])
def test_softmax_over_several_axes(axis):
    x = RNG.normal(size=(2, 3, 4)) * 50
    axes = axis if axis is None else tuple(axis)
    e = np.exp(x - x.max(axes, keepdims=True))
    expected = e / e.sum(axes, keepdims=True)
    y = evaluate(lambda op, x: activations.softmax(op, x, axis), x)
    np.testing.assert_allclose(y, expected, rtol=1e-10)
    y = evaluate(lambda op, x: activations.log_softmax(op, x, axis), x)
    np.testing.assert_allclose(np.exp(y), expected, rtol=1e-10)


def test_threshold_replaces_what_is_not_above_it():
    y = evaluate(lambda op, x: activations.threshold(op, x, 1.0, -7.0), X)
    assert y.tolist() == [-7, -7, -7, -7, 3]


@pytest.mark.parametrize(
    "emission",
    [
        activations.sparsemax,
        lambda op, x: activations.sparsemax(op, x, 0),
        lambda op, x: activations.log_softmax(op, x, (0, 1)),
        lambda op, x: activations.softmax(op, x, None),
        lambda op, x: activations.threshold(op, x, 0.25, 0.5),
    ],
)
def test_gradient_is_that_of_finite_differences(emission):
    x = RNG.normal(size=(3, 4))
    check_gradients(Activation(emission, dtype="float64"), x)
