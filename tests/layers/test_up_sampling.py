"""UpSampling repeats or interpolates as Keras does, and trains what stands before it."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

RNG = np.random.default_rng(5)


def repeated(x, size, first):
    for axis, times in enumerate(size):
        x = np.repeat(x, times, axis=axis + (2 if first else 1))
    return x


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("size", [(2, 3), (1, 1), (5, 1), (2, 1, 3), (4,)])
def test_nearest_repeats_every_cell(size, data_format):
    rank, first = len(size), data_format == "channels_first"
    if rank == 1 and first:
        pytest.skip("UpSampling1D has no data_format")
    x = RNG.normal(size=(2, *(3, 4, 2)[:rank], 3)).astype(np.float32)
    cls = getattr(layers, f"UpSampling{rank}D")
    layer = cls(size[0]) if rank == 1 else cls(size, data_format)
    np.testing.assert_array_equal(layer(x), repeated(x, size, first))


def weights(old, new, kernel, reach):
    """The matrix of a resampling with half-pixel centres; what lies outside does not count."""
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    taps = np.floor(centres).astype(int)[:, None] + np.arange(1 - reach, reach + 1)
    values = kernel(np.abs(centres[:, None] - taps)) * ((taps >= 0) & (taps < old))
    matrix = np.zeros((new, old))
    np.add.at(matrix, (np.arange(new)[:, None], taps.clip(0, old - 1)), values)
    return matrix / matrix.sum(axis=1, keepdims=True)


def keys(d):
    """Cubic convolution (Keys, 1981) with a = -1/2."""
    near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


KERNELS = {"bilinear": (lambda d: np.maximum(1 - d, 0), 1), "bicubic": (keys, 2)}


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("size", [(2, 2), (3, 2), (1, 4)])
@pytest.mark.parametrize("interpolation", KERNELS)
def test_interpolations_follow_their_kernels(interpolation, size, data_format):
    x = RNG.normal(size=(2, 3, 5, 2))
    rows, columns = (
        weights(old, old * times, *KERNELS[interpolation])
        for old, times in zip((3, 5), size, strict=True)
    )
    expected = np.einsum("ih,jw,bhwc->bijc", rows, columns, x)
    if data_format == "channels_first":
        x, expected = np.moveaxis(x, -1, 1), np.moveaxis(expected, -1, 1)
    layer = layers.UpSampling2D(size, data_format, interpolation)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)


def test_bilinear_is_that_of_keras():
    """Keras 3.15.1 (torch): UpSampling2D((3, 2), interpolation="bilinear") on 0, 10, 100, 1000."""
    x = np.array([0, 10, 100, 1000], np.float32).reshape(1, 2, 2, 1)
    expected = [
        [0, 2.5, 7.5, 10],
        [0, 2.5, 7.5, 10],
        [33.33334, 110, 263.3334, 340],
        [66.66667, 217.5, 519.1667, 670],
        [100, 325, 775, 1000],
        [100, 325, 774.9999, 999.9999],
    ]
    found = layers.UpSampling2D((3, 2), interpolation="bilinear")(x)[0, :, :, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("policy", [None, "mixed_float16"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_what_stands_before_it_gets_its_derivative(interpolation, policy):
    """The layer is linear: its matrix, from unit inputs, gives the step in float64."""
    up = layers.UpSampling2D((2, 3), interpolation=interpolation, dtype=policy)
    scale = layers.Dense(1, use_bias=False, kernel_initializer="ones", dtype=policy)
    model = keras.Sequential([keras.Input((3, 2, 1)), scale, up])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    exact = layers.UpSampling2D((2, 3), interpolation=interpolation)
    matrix = exact(np.eye(6).reshape(6, 3, 2, 1)).reshape(6, 36)
    x, y = RNG.normal(size=(4, 3, 2, 1)), RNG.normal(size=(4, 6, 6, 1))
    model.train_on_batch(x, y)
    made = x.reshape(4, 6) @ matrix
    step = 2 * ((made - y.reshape(4, 36)) * made).mean()
    tolerance = 1e-5 if policy is None else 2e-2
    assert 1 - float(model.get_weights()[0].item()) == pytest.approx(step, abs=tolerance)


def test_image_size_may_be_unknown():
    x = RNG.normal(size=(1, 3, 4, 2)).astype(np.float32)
    for interpolation in ("nearest", "bilinear"):
        layer = layers.UpSampling2D((2, 3), interpolation=interpolation)
        model = keras.Sequential([keras.Input((None, None, 2)), layers.Dense(2), layer])
        assert model.output_shape == (None, None, None, 2)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        for shape in ((1, 3, 4, 2), (2, 2, 2, 2)):
            loss = model.fit(
                np.ones(shape), np.zeros(np.multiply(shape, (1, 2, 3, 1))), epochs=2, verbose=0
            ).history["loss"]
            assert loss[1] < loss[0]
        np.testing.assert_allclose(
            model.predict(x, verbose=0), layer(model.layers[0](x)), atol=1e-6
        )


def test_illegal_arguments_are_refused_with_the_reason():
    for make, error, expected in (
        (lambda: layers.UpSampling1D(2.0), TypeError, "Expected an integer value for `size`, got "),
        (lambda: layers.UpSampling1D(0), ValueError, "`size` should be a positive integer. Receiv"),
        (lambda: layers.UpSampling2D(0), ValueError, r"`size` argument must be a tuple of 2 int"),
        (
            *(lambda: layers.UpSampling2D(2, interpolation="lanczos3"), ValueError),
            r"no Lanczos interpolation. Use one of \('nearest', 'bilinear', 'bicubic'\)",
        ),
        (
            *(lambda: layers.UpSampling2D(2, interpolation="area"), ValueError),
            "Invalid value for argument `interpolation`.*Received: interpolation=area",
        ),
        (lambda: layers.UpSampling3D((2, 2)), ValueError, "must be a tuple of 3 integers"),
        (lambda: layers.UpSampling3D()(np.ones((1, 2, 2, 2))), ValueError, "expected ndim=5, foun"),
    ):
        with pytest.raises(error, match=expected):
            make()
    layer = layers.UpSampling2D(interpolation="BILINEAR")
    assert layer.interpolation == "bilinear"
