"""Resizing and cropping: every interpolation, ratio and dtype, at sizes known and unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

RECORDED = Path(__file__).parents[1] / "support" / "layers" / "recorded_images.npz"
ARRAYS = dict(np.load(RECORDED))
IMAGES = ARRAYS["images"]


@pytest.mark.parametrize("size", [(9, 4), (3, 15)])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", ["cubic", "lanczos3", "lanczos5"])
def test_wide_kernels_give_what_keras_gives(method, antialias, size):
    """As `keras.ops.image.scale_and_translate` of Keras 3.15.1."""
    name = {"cubic": "bicubic"}.get(method, method)
    result = layers.Resizing(*size, name, antialias=antialias)(IMAGES)
    expected = ARRAYS[f"{method}.{antialias}.{size[0]}.{size[1]}"]
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=0.01)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"interpolation": "nearest"},
        {"interpolation": "bicubic"},
        {"crop_to_aspect_ratio": True},
        {"pad_to_aspect_ratio": True, "fill_value": 3.0},
    ],
)
def test_size_that_only_a_run_knows_gives_the_same(arguments, data_format):
    last = data_format == "channels_last"
    images = IMAGES if last else IMAGES.transpose(0, 3, 1, 2)
    free = (None, None, 3) if last else (3, None, None)
    for size in ((4, 9), (8, 5)):
        layer = layers.Resizing(*size, **arguments, data_format=data_format)
        model = keras.Sequential([keras.Input(free), layer])
        assert model.output_shape == ((None, *size, 3) if last else (None, 3, *size))
        np.testing.assert_allclose(model.predict(images, verbose=0), layer(images), rtol=1e-4)


def test_aspect_ratio_is_cropped_or_padded_around_the_middle():
    images = np.arange(12, dtype=np.float32).reshape(1, 2, 6, 1)
    cropped = layers.Resizing(2, 2, crop_to_aspect_ratio=True)(images)
    np.testing.assert_array_equal(cropped, images[:, :, 2:4])
    padded = layers.Resizing(6, 6, "nearest", pad_to_aspect_ratio=True, fill_value=-1.0)(images)
    np.testing.assert_array_equal(padded[:, 2:4], images)
    assert (padded[:, :2] == -1).all()
    assert (padded[:, 4:] == -1).all()


def test_integers_are_rounded_and_kept_within_their_range():
    pixels = np.array([0, 255, 0, 255, 255, 0, 255, 3], np.uint8).reshape(1, 1, 8, 1)
    floats = layers.Resizing(1, 13, "bicubic")(pixels.astype(np.float32))
    assert floats.max() > 255
    made = layers.Resizing(1, 13, "bicubic")(pixels)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, np.clip(np.round(floats), 0, 255))


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_layer_of_integers_gives_integers(dtype):
    made = layers.Resizing(3, 3, dtype=dtype)(IMAGES)
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, np.round(layers.Resizing(3, 3)(IMAGES)))


@pytest.mark.parametrize("make", [layers.Resizing, layers.CenterCrop])
def test_training_does_what_inference_does(make):
    layer = make(4, 3)
    np.testing.assert_array_equal(layer(IMAGES, training=True), layer(IMAGES, training=False))
    np.testing.assert_array_equal(layer(IMAGES[0]), layer(IMAGES)[0])


def test_rescaling_takes_a_list_for_channels_that_it_spreads_to():
    made = layers.Rescaling([1.0, 1.0, 1.0], offset=[0.0, 1.0, 2.0])(np.ones((1, 2, 1)))
    np.testing.assert_array_equal(made, [[[1, 2, 3], [1, 2, 3]]])
    assert layers.Rescaling([1.0, 1.0])(np.ones((1, 3, 1))).shape == (1, 3, 2)


def test_rescaling_takes_an_array_as_keras_writes_it():
    config = {
        "name": "r",
        "trainable": True,
        "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}},
        "scale": {"class_name": "__numpy__", "config": {"value": [2.0, 3.0], "dtype": "float64"}},
        "offset": 1.0,
    }
    layer = layers.Rescaling.from_config(config)
    assert (layer.scale, layer.offset) == ([2.0, 3.0], 1.0)
