"""The other layers compute their definitions, in inference and in training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from seqonnx import Input, Model, Sequential, layers
from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from seqonnx.lowering.batch_statistics import expand_batch_statistics
from seqonnx.runtime.compiled import Compiled
from support.layers.emission import reference, runtime

RNG = np.random.default_rng(3)


def training_graph(layer: layers.Layer, x: np.ndarray) -> Emitter:
    """Training graph of a layer, with its state updates as further outputs."""
    layer._build_for((None, *x.shape[1:]))
    op = Emitter()
    value = op.input("x", x.dtype.name, ("batch", *x.shape[1:]))
    op.output(layer._emit(op, value, training=True), "y")
    for variable, new in op.updates.items():
        op.output(new, f"new/{variable.name}")
    expand_batch_statistics(op.graph)
    return op


def test_dense_is_a_matrix_product_on_the_last_axis():
    for shape in [(5, 4), (2, 3, 4), (2, 2, 3, 4)]:
        x = RNG.normal(size=shape).astype(np.float32)
        layer = layers.Dense(3, "relu", bias_initializer="normal")
        y = layer(x)
        kernel, bias = layer.get_weights()
        np.testing.assert_allclose(y, np.maximum(x @ kernel + bias, 0), rtol=1e-4, atol=1e-6)


def test_dense_on_a_matrix_is_one_node():
    layer = layers.Dense(3)
    layer._build_for((None, 4))
    op = Emitter()
    layer.call(op, op.input("x", "float32", ("batch", 4)), False)
    assert [node.op_type for node in op.graph] == ["Gemm"]


def keras_relu(x, limit, slope, threshold):
    """The definition in the Keras reference."""
    y = np.where(x > threshold, x, slope * (x - threshold))
    return y if limit is None else np.where(x >= limit, limit, y)


@pytest.mark.parametrize("limit", [None, 1.5])
@pytest.mark.parametrize("slope", [0.0, 0.1])
@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_relu_with_options(limit, slope, threshold):
    x = np.linspace(-3, 3, 61, dtype=np.float32)[None]
    y = layers.ReLU(limit, slope, threshold)(x)
    np.testing.assert_allclose(y, keras_relu(x, limit, slope, threshold), rtol=1e-5, atol=1e-6)


KINKS = [-2.0, 0.0, 0.5, 1.0, 2.0, 2.5, 5.0, 5.5, 8.0, 9.0]


@pytest.mark.parametrize(
    ("limit", "slope", "threshold", "values", "slopes"),
    [
        (8.0, 0.0, 5.0, [0] * 7 + [5.5, 8, 8], [0] * 7 + [1, 1, 0]),
        (
            *(8.0, 0.25, 5.0),
            [-1.75, -1.25, -1.125, -1.0, -0.75, -0.625, 0, 5.5, 8, 8],
            [0.25] * 6 + [0, 1, 1, 0],
        ),
        (
            *(2.0, 0.5, 5.0),
            [-3.5, -2.5, -2.25, -2.0, -1.5, -1.25, 0, 2, 2, 2],
            [0.5] * 6 + [0] * 4,
        ),
        (
            *(None, 0.25, 1.0),
            [-0.75, -0.25, -0.125, 0, 2, 2.5, 5, 5.5, 8, 9],
            [0.25] * 3 + [0] + [1] * 6,
        ),
        (None, 0.0, 5.0, [0] * 7 + [5.5, 8, 9], [0] * 7 + [1] * 3),
    ],
)
def test_relu_is_that_of_keras_at_its_kinks(limit, slope, threshold, values, slopes):
    """Values and derivatives of Keras 3.15.1 (torch backend); at the threshold both are 0."""
    layer = layers.ReLU(limit, slope, threshold)
    assert layer([KINKS]).tolist() == [values]
    op = Emitter()
    x = op.input("x", "float32", (1, len(KINKS)))
    y = layer.call(op, x, False)
    seed = op.constant(np.ones((1, len(KINKS)), np.float32))
    (derivative,) = backward(op, [(y, seed)], [x])
    op.output(derivative, "dx")
    assert Compiled(op).run([np.array([KINKS], np.float32)])[0].tolist() == [slopes]


INTEGER_CASTS = {"uint8": [1, 100], "int32": [1, 100], "int8": [1, 100], "bool": [True, True]}


@pytest.mark.parametrize("dtype", INTEGER_CASTS)
def test_a_layer_of_integers_casts_floats_and_leaves_integers(dtype):
    """As in Keras, in a model and called on data."""
    floats = np.array([[1.7, 100.2]], np.float32)
    y = layers.Flatten(dtype=dtype)(floats)
    assert (y.dtype, y.tolist()) == (dtype, [INTEGER_CASTS[dtype]])
    model = Sequential([Input((2,)), layers.Flatten(dtype=dtype)])
    assert model.output.dtype == dtype
    assert model.predict(floats, verbose=0).tolist() == [INTEGER_CASTS[dtype]]
    integers = np.array([[3, 300]], np.int64)
    y = layers.Flatten(dtype=dtype)(integers)
    assert (y.dtype, y.tolist()) == ("int64", [[3, 300]])


def test_what_a_layer_of_integers_cuts_off_is_gone_behind_it():
    model = Sequential([Input((1,)), layers.Flatten(dtype="uint8"), layers.Rescaling(0.5)])
    assert model.predict(np.array([[1.7]]), verbose=0).tolist() == [[0.5]]  # Keras
    first, second = Input((1,)), Input((1,), dtype="int32")
    total = Model([first, second], layers.Add(dtype="int32")([first, second]))
    assert total([np.array([[1.7]]), np.array([[2]])]).tolist() == [[3]]


def test_other_activation_layers():
    x = np.array([[-2.0, -0.5, 0.0, 1.0]], np.float32)
    np.testing.assert_allclose(layers.LeakyReLU()(x), [[-0.6, -0.15, 0, 1]], rtol=1e-6)
    np.testing.assert_allclose(
        layers.ELU(0.5)(x), np.where(x > 0, x, 0.5 * np.expm1(x)), rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(
        layers.PReLU("ones")(x), x, err_msg="slope 1 is the identity", rtol=1e-6
    )
    z = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    e = np.exp(z)
    np.testing.assert_allclose(layers.Softmax(1)(z), e / e.sum(1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(
        layers.Softmax((1, 2))(z), e / e.sum((1, 2), keepdims=True), rtol=1e-5
    )


def test_leaky_relu_still_takes_alpha():
    with pytest.warns(UserWarning, match="^Argument `alpha` is deprecated. Use `negative_slope`"):
        layer = layers.LeakyReLU(alpha=0.1)
    assert layer.negative_slope == 0.1


def test_shapes_are_filled_in_order():
    x = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    np.testing.assert_array_equal(layers.Flatten()(x), x.reshape(1, 24))
    first = layers.Flatten("channels_first")(np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(first, x.reshape(1, 24))
    np.testing.assert_array_equal(layers.Reshape((4, -1))(x), x.reshape(1, 4, 6))


def test_zero_padding_goes_where_it_is_asked_for():
    x = RNG.normal(size=(1, 2, 3, 2)).astype(np.float32)
    y = layers.ZeroPadding2D(((1, 0), (2, 3)))(x)
    np.testing.assert_array_equal(y, np.pad(x, ((0, 0), (1, 0), (2, 3), (0, 0))))
    y = layers.ZeroPadding2D((1, 2), "channels_first")(x)
    np.testing.assert_array_equal(y, np.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2))))


def test_rescaling_casts_whole_numbers():
    op = Emitter()
    x = op.input("x", "uint8", ("batch", 2))
    op.output(layers.Rescaling(1 / 127.5, offset=-1.0)._emit(op, x, False), "y")
    y = runtime(op, {"x": np.array([[0, 255]], np.uint8)})[0]
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, [[-1, 1]], rtol=1e-6)


def test_batch_normalization_has_the_numbers_of_keras():
    x = np.array([[1, 2], [3, 6]], np.float32)
    layer = layers.BatchNormalization(momentum=0.5)
    y, mean, variance = runtime(training_graph(layer, x), {"x": x})
    np.testing.assert_allclose(mean, [1, 2])
    np.testing.assert_allclose(variance, [1, 2.5])
    np.testing.assert_allclose(y, [[-0.9995, -0.999875], [0.9995, 0.999875]], rtol=1e-4)
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
    layer.trainable = False
    frozen = training_graph(layer, x)
    assert frozen.updates == {}
    np.testing.assert_allclose(
        runtime(frozen, {"x": x})[0], [[0, 0], [1.999, 2.5293]], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((6, 3), -1), ((5, 4, 3), -1), ((3, 4, 5, 2), -1), ((3, 2, 4, 5), 1), ((3, 4, 2, 5), 2)],
)
@pytest.mark.parametrize("run", [runtime, reference])
def test_batch_normalization_in_training_normalizes(shape, axis, run):
    x = RNG.normal(2.0, 3.0, size=shape).astype(np.float32)
    layer = layers.BatchNormalization(axis, momentum=0.9)
    layer._build_for((None, *shape[1:]))
    gamma, beta, mean, variance = RNG.uniform(0.5, 2, size=(4, shape[axis])).astype(np.float32)
    layer.set_weights([gamma, beta, mean, variance])
    y, new_mean, new_variance = run(training_graph(layer, x), {"x": x})
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    along = [1] * x.ndim
    along[axis] = -1
    unit = (x - x.mean(others, keepdims=True)) / np.sqrt(x.var(others, keepdims=True) + 1e-3)
    np.testing.assert_allclose(
        y, unit * gamma.reshape(along) + beta.reshape(along), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(new_mean, 0.9 * mean + 0.1 * x.mean(others), rtol=1e-4)
    np.testing.assert_allclose(new_variance, 0.9 * variance + 0.1 * x.var(others), rtol=1e-4)


def test_batch_normalization_called_twice_moves_on():
    layer = layers.BatchNormalization(momentum=0.5)
    layer._build_for((None, 1))
    op = Emitter()
    x = op.input("x", "float32", ("batch", 1))
    layer._emit(op, layer._emit(op, x, True), True)
    op.output(op.updates[layer.moving_mean], "mean")
    expand_batch_statistics(op.graph)
    # The first call sees mean 4, the second mean 0: ((0 + 4) / 2 + 0) / 2.
    assert runtime(op, {"x": np.array([[3.0], [5.0]], np.float32)})[0] == pytest.approx(1.0)


def drop(layer: layers.Dropout, x: np.ndarray, noise_shape: tuple[int, ...]) -> np.ndarray:
    op = training_graph(layer, x)
    (name,) = op.noise
    noise = np.random.default_rng(5).random(noise_shape, dtype=np.float32)
    y = runtime(op, {"x": x, name: noise})[0]
    keep = np.broadcast_to(noise >= layer.rate, x.shape)
    np.testing.assert_allclose(y, np.where(keep, x / (1 - layer.rate), 0), rtol=1e-5)
    return y


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_zeroes_a_share_and_scales_the_rest(rate, dtype):
    x = np.ones((200, 100), dtype)
    y = drop(layers.Dropout(rate, dtype=dtype), x, x.shape)
    assert (y == 0).mean() == pytest.approx(rate, abs=0.01)


def test_dropout_shares_its_mask_where_asked():
    x = RNG.normal(size=(3, 4, 4, 5)).astype(np.float32)
    y = drop(layers.Dropout(0.5, noise_shape=(None, 1, 1, None)), x, (3, 1, 1, 5))
    assert set(np.unique((y == 0).sum((1, 2)))) == {0, 16}


def test_dropout_at_its_limits_and_in_inference():
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(layers.Dropout(0.5)(x), x)
    for rate, expected in ((0.0, x), (1.0, 0 * x)):
        op = training_graph(layers.Dropout(rate), x)
        assert len(op.noise) == 0
        np.testing.assert_array_equal(runtime(op, {"x": x})[0], expected)


def test_dropout_of_a_frozen_layer_still_drops():
    layer = layers.Dropout(0.5)
    layer.trainable = False
    assert len(training_graph(layer, np.ones((2, 3), np.float32)).noise) == 1


def test_activity_and_weight_regularizers_are_kept():
    layer = layers.Dense(2, kernel_regularizer="l2", activity_regularizer="l1")
    op = training_graph(layer, np.ones((2, 3), np.float32))
    assert len(op.losses) == 1
    assert [(v.name, repr(r)) for v, r in layer._regularized_weights] == [("kernel", "L2(l2=0.01)")]


def test_own_objects_are_loaded_by_name():
    def twice(op, x):
        return op.Mul(x, 2.0)

    def halves(shape, dtype):
        return np.full(shape, 0.5, dtype)

    class Shift(layers.Layer):
        def call(self, op, x, training):
            return op.Add(x, 1.0)

    own = {"twice": twice, "halves": halves, "Shift": Shift}
    for layer in (
        layers.Dense(2, twice, kernel_initializer=halves, name="d"),
        Shift(name="s"),
        layers.Activation(Shift(name="inner"), name="a"),
    ):
        plain = json.loads(json.dumps(layers.serialize(layer)))
        again = layers.deserialize(plain, own)
        x = np.ones((1, 3), np.float32)
        np.testing.assert_array_equal(again(x), layer(x))
