"""Layers that make training noisy: values for given noise, distributions, gradients, errors."""

from __future__ import annotations

import re

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.graph import Emitter
from support.layers.emission import runtime
from support.layers.exported import exported_outputs
from support.layers.layer_gradients import check_gradients

RNG = np.random.default_rng(6)
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. (2017), of SELU


def trained_outputs(layer, x):
    """The output of the training graph, and the noise that it was given, in order."""
    op = Emitter()
    value = op.input("x", x.dtype.name, ("batch", *x.shape[1:]))
    op.output(layer._emit(op, value, training=True), "y")
    rng = np.random.default_rng(5)
    noise = {
        name: rng.random([d if isinstance(d, int) else len(x) for d in v.shape], dtype=np.float32)
        for name, v in op.noise.items()
    }
    return runtime(op, {"x": x, **noise})[0], list(noise.values())


SPATIAL = [
    (layers.SpatialDropout1D(0.4), (3, 1, 5), (3, 4, 5)),
    (layers.SpatialDropout2D(0.4), (3, 1, 1, 5), (3, 4, 2, 5)),
    (layers.SpatialDropout2D(0.4, "channels_first"), (3, 5, 1, 1), (3, 5, 4, 2)),
    (layers.SpatialDropout3D(0.4), (3, 1, 1, 1, 5), (3, 2, 4, 2, 5)),
    (layers.SpatialDropout3D(0.4, "channels_first"), (3, 5, 1, 1, 1), (3, 5, 2, 4, 2)),
]


@pytest.mark.parametrize(("layer", "mask", "shape"), SPATIAL)
def test_spatial_dropout_drops_whole_channels_and_scales_the_others(layer, mask, shape):
    x = RNG.normal(size=shape).astype(np.float32)
    y, (noise,) = trained_outputs(layer, x)
    assert noise.shape == mask
    np.testing.assert_allclose(y, np.where(noise >= 0.4, x / 0.6, 0), rtol=1e-6)
    assert 0 < (noise < 0.4).sum() < noise.size


def test_spatial_dropout_takes_images_of_any_size():
    op = Emitter()
    x = op.input("x", "float32", ("batch", None, None, 3))
    layers.SpatialDropout2D(0.5)._emit(op, x, training=True)
    assert [tuple(v.shape.dims[1:]) for v in op.noise.values()] == [(1, 1, 3)]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("noise_shape", [None, (None, 1, None)])
def test_alpha_dropout_is_its_definition(rate, noise_shape):
    x = RNG.normal(size=(3, 4, 5)).astype(np.float32)
    y, (noise,) = trained_outputs(layers.AlphaDropout(rate, noise_shape), x)
    assert noise.shape == ((3, 4, 5) if noise_shape is None else (3, 1, 5))
    limit = -ALPHA * SCALE
    a = ((1 - rate) * (1 + rate * limit**2)) ** -0.5
    dropped = np.where(noise >= rate, x, limit)
    np.testing.assert_allclose(y, a * dropped - a * limit * rate, rtol=1e-5, atol=1e-6)


def test_alpha_dropout_keeps_mean_and_variance():
    x = RNG.normal(size=(200, 500)).astype(np.float32)
    y, _ = trained_outputs(layers.AlphaDropout(0.3), x)
    assert y.mean() == pytest.approx(0.0, abs=0.02)
    assert y.var() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("layer", "stddev", "kind"),
    [
        (layers.GaussianNoise(0.7), 0.7, np.add),
        (layers.GaussianDropout(0.2), 0.5, np.multiply),
        (layers.GaussianDropout(0.8), 2.0, np.multiply),
    ],
)
def test_gaussian_noise_is_made_of_two_uniform_numbers(layer, stddev, kind):
    x = RNG.normal(1.0, 1.0, size=(4, 5)).astype(np.float32)
    y, (u, v) = trained_outputs(layer, x)
    noise = stddev * np.sqrt(-2 * np.log1p(-u.astype(float))) * np.cos(2 * np.pi * v.astype(float))
    expected = kind(x, noise + (kind is np.multiply))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_gaussian_noise_is_normally_distributed():
    """Moments, and the largest distance of the distribution functions (Kolmogorov, Smirnov)."""
    from math import erf

    y, _ = trained_outputs(layers.GaussianNoise(1.0), np.zeros((400, 500), np.float32))
    drawn = np.sort(y.astype(float).ravel())
    assert drawn.mean() == pytest.approx(0.0, abs=0.01)
    assert drawn.std() == pytest.approx(1.0, abs=0.01)
    assert (drawn**4).mean() == pytest.approx(3.0, abs=0.1)
    places = np.linspace(-4, 4, 81)
    shares = np.searchsorted(drawn, places) / drawn.size
    normal = np.array([(1 + erf(place / 2**0.5)) / 2 for place in places])
    assert np.abs(shares - normal).max() < 1.95 / drawn.size**0.5  # exceeded once in 1000


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_gaussian_noise_is_finite_at_both_ends_of_the_uniform_numbers(dtype):
    layer = layers.GaussianNoise(1.0, dtype=dtype)
    op = Emitter()
    x = op.input("x", dtype, ("batch", 2))
    op.output(layer._emit(op, x, training=True), "y")
    first, second = op.noise
    ends = np.array([[0.0, 1.0 - 2.0**-24]], np.float32)
    zeros = np.zeros((1, 2), np.float32)
    y = runtime(op, {"x": zeros.astype(dtype), first: ends, second: zeros})[0]
    assert y.dtype == dtype
    np.testing.assert_allclose(y, [[0.0, (48 * np.log(2)) ** 0.5]], rtol=1e-3)


NOISY = [
    (layers.SpatialDropout1D, (0.5,), (4, 3)),
    (layers.SpatialDropout2D, (0.5,), (4, 3, 2)),
    (layers.SpatialDropout3D, (0.5,), (2, 4, 3, 2)),
    (layers.GaussianNoise, (0.5,), (4, 3)),
    (layers.GaussianDropout, (0.5,), (4, 3)),
    (layers.AlphaDropout, (0.5,), (4, 3)),
]
noisy = pytest.mark.parametrize(("cls", "arguments", "shape"), NOISY)


@noisy
def test_noise_is_left_out_of_inference_and_files(cls, arguments, shape, tmp_path):
    x = RNG.normal(size=(2, *shape)).astype(np.float32)
    np.testing.assert_array_equal(cls(*arguments)(x), x)
    np.testing.assert_array_equal(exported_outputs(cls(*arguments), x, tmp_path), x)
    assert np.abs(cls(*arguments)(x, training=True) - x).max() > 0.1


@noisy
def test_without_strength_there_is_no_noise(cls, arguments, shape):
    x = np.ones((2, *shape), np.float32)
    y, noise = trained_outputs(cls(0.0), x)
    assert noise == []
    np.testing.assert_array_equal(y, x)


@noisy
def test_gradients_through_noise_are_those_of_finite_differences(cls, arguments, shape):
    check_gradients(cls(*arguments, dtype="float64"), RNG.normal(size=(3, *shape)))


@noisy
def test_training_with_noise_is_repeated_by_its_seed(cls, arguments, shape):
    x = np.ones((8, *shape), np.float32)

    def losses():
        keras.set_random_seed(3)
        model = keras.Sequential(
            [keras.Input(shape), cls(*arguments), layers.Flatten(), layers.Dense(1)]
        )
        model.compile(keras.optimizers.SGD(0.01), "mse")
        return model.fit(x, np.ones((8, 1)), epochs=2, batch_size=4, verbose=0).history["loss"]

    assert losses() == losses()


def test_activity_regularization_adds_its_penalty_over_the_batch_size_to_the_loss():
    x = RNG.normal(size=(5, 3)).astype(np.float32)
    model = keras.Sequential([keras.Input((3,)), layers.ActivityRegularization(0.3, 0.2)])
    model.compile("sgd", "mse")
    penalty = (0.3 * np.abs(x).sum() + 0.2 * np.square(x).sum()) / 5
    assert model.evaluate(x, x, verbose=0) == pytest.approx(penalty, rel=1e-5)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


def test_activity_regularization_pulls_what_is_before_it():
    """One step of gradient descent on 0.5 |w x| + w^2 x^2, without another loss."""
    x = np.array([[2.0], [1.0]], np.float32)
    dense = layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((1,)), dense, layers.ActivityRegularization(0.5, 1.0)])
    model.compile(keras.optimizers.SGD(0.1), "mse", loss_weights=0.0)
    model.fit(x, x, batch_size=2, verbose=0)
    slope = (0.5 * np.abs(x).sum() + 2 * np.square(x).sum()) / 2
    np.testing.assert_allclose(dense.kernel.numpy(), [[1 - 0.1 * slope]], rtol=1e-6)


def test_activity_regularization_leaves_nothing_in_a_file(tmp_path):
    x = RNG.normal(size=(2, 3)).astype(np.float32)
    y = exported_outputs(layers.ActivityRegularization(0.3, 0.2), x, tmp_path)
    np.testing.assert_array_equal(y, x)


def test_configurations_are_keras_own():
    """Keras's spatial dropouts take no `trainable`, its ActivityRegularization no regularizer."""
    config = layers.SpatialDropout2D(0.5, seed=1, name="s").get_config()
    assert config == {
        **{"name": "s", "dtype": "float32", "rate": 0.5},
        **{"data_format": "channels_last", "seed": 1},
    }
    frozen = layers.SpatialDropout1D.from_config({"rate": 0.5, "trainable": False})
    assert frozen.get_config()["trainable"] is False
    config = layers.ActivityRegularization(1, 0.5, name="a").get_config()
    assert config == {"name": "a", "trainable": True, "dtype": "float32", "l1": 1.0, "l2": 0.5}


@pytest.mark.parametrize("cls", [layers.Dropout, layers.AlphaDropout])
@pytest.mark.parametrize(
    ("noise_shape", "message"),
    [
        ("wide", "a tuple or list of integers. Received: noise_shape=wide"),
        (
            (2, 1.5),
            "all elements to be integers or None. Received element at index 1: 1.5 (type: float)",
        ),
        (
            (2, None, 0),
            "all dimensions to be positive integers or None. Received negative or zero value at "
            "index 2: 0",
        ),
    ],
)
def test_wrong_noise_shapes_are_refused_in_the_words_of_keras(cls, noise_shape, message):
    head = "Invalid value received for argument `noise_shape`. Expected "
    with pytest.raises(ValueError, match=re.escape(head + message)):
        cls(0.5, noise_shape)


@pytest.mark.parametrize("cls", [layers.Dropout, layers.AlphaDropout])
def test_noise_shape_that_is_set_later_takes_effect(cls):
    layer, x = cls(0.5), np.ones((4, 20, 5), np.float32)
    assert np.ptp(layer(x, training=True), axis=1).max() > 0
    layer.noise_shape = (None, 1, None)
    assert np.ptp(layer(x, training=True), axis=1).max() == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *(
            (
                lambda cls=cls: cls(1.5),
                "Invalid value received for argument `rate`. Expected a float value between 0 and "
                "1. Received: rate=1.5",
            )
            for cls in (
                layers.SpatialDropout1D,
                layers.SpatialDropout2D,
                layers.SpatialDropout3D,
                layers.GaussianDropout,
                layers.AlphaDropout,
            )
        ),
        (
            lambda: layers.GaussianNoise(2),
            "Invalid value received for argument `stddev`. Expected a float value between 0 and 1."
            " Received: stddev=2",
        ),
        (
            lambda: layers.GaussianDropout(1, name="g")(np.ones((1, 2)), training=True),
            "Layer 'g' (GaussianDropout) cannot train with rate=1: its noise would have an "
            "infinite deviation. Choose a rate below 1.",
        ),
        (
            lambda: layers.AlphaDropout(1, name="a")(np.ones((1, 2)), training=True),
            "Layer 'a' (AlphaDropout) cannot train with rate=1: nothing of its input would be "
            "left. Choose a rate below 1.",
        ),
        (
            lambda: layers.SpatialDropout2D(0.5, "first"),
            "The `data_format` argument must be one of {'channels_first', 'channels_last'}. "
            "Received: data_format=first",
        ),
        (
            lambda: layers.SpatialDropout1D(0.5, name="s")(keras.Input((4,))),
            "Input 0 with name 'None' of layer 's' is incompatible with the layer: expected ndim=3"
            ", found ndim=2. Full shape received: (None, 4)",
        ),
        (
            lambda: layers.ActivityRegularization("much"),
            "Invalid value for argument l1: expected a non-negative float. Received: much",
        ),
    ],
)
def test_wrong_arguments_are_refused_in_the_words_of_keras(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
