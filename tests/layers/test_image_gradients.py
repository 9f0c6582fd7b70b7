"""Gradients of layers on images with respect to the images, against differences in float64."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import GradientError
from support.layers.layer_gradients import check_gradients

WIDE = {"value_range": (-1000, 1000)}
"""A range that cuts nothing off, where a derivative jumps."""

LAYERS = {
    "flip": lambda: layers.RandomFlip(dtype="float64"),
    "rotation": lambda: layers.RandomRotation(0.3, dtype="float64"),
    "rotation-wrap": lambda: layers.RandomRotation(0.3, "wrap", dtype="float64"),
    "zoom": lambda: layers.RandomZoom(0.3, fill_mode="nearest", dtype="float64"),
    "translation": lambda: layers.RandomTranslation(0.3, 0.3, "constant", dtype="float64"),
    "shear": lambda: layers.RandomShear(0.3, 0.2, data_format="channels_first", dtype="float64"),
    "crop": lambda: layers.RandomCrop(3, 2, dtype="float64"),
    "contrast": lambda: layers.RandomContrast(0.5, **WIDE, dtype="float64"),
    "brightness": lambda: layers.RandomBrightness(0.001, **WIDE, dtype="float64"),
    "hue": lambda: layers.RandomHue(0.1, (0, 256), dtype="float64"),
    "saturation": lambda: layers.RandomSaturation((0.3, 0.5), dtype="float64"),
    "grayscale": lambda: layers.RandomGrayscale(dtype="float64"),
    "sharpness": lambda: layers.RandomSharpness(0.9, **WIDE, dtype="float64"),
    "erasing": lambda: layers.RandomErasing((1.0, 1.0), fill_value=3.0, dtype="float64"),
    "invert": lambda: layers.RandomInvert((0.5, 0.5), dtype="float64"),
    "perspective": lambda: layers.RandomPerspective((1.0, 1.0), 0.4, dtype="float64"),
    "blur": lambda: layers.RandomGaussianBlur((1.0, 1.0), **WIDE, dtype="float64"),
    "elastic": lambda: layers.RandomElasticTransform((1.0, 1.0), **WIDE, dtype="float64"),
    "degeneration": lambda: layers.RandomColorDegeneration(0.9, **WIDE, dtype="float64"),
    "solarization": lambda: layers.Solarization(0.1, 0.5, dtype="float64"),
    "auto_contrast": lambda: layers.AutoContrast(dtype="float64"),
    "mix_up": lambda: layers.MixUp(dtype="float64"),
    "cut_mix": lambda: layers.CutMix(dtype="float64"),
    "resizing": lambda: layers.Resizing(3, 7, dtype="float64"),
    "resizing-nearest": lambda: layers.Resizing(3, 7, "nearest", dtype="float64"),
    "resizing-lanczos": lambda: layers.Resizing(3, 7, "lanczos3", dtype="float64"),
    "resizing-padded": lambda: layers.Resizing(3, 7, pad_to_aspect_ratio=True, dtype="float64"),
    "center_crop": lambda: layers.CenterCrop(3, 2, dtype="float64"),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_gradient_is_that_of_differences(make):
    x = np.random.default_rng(3).uniform(20, 230, (3, 5, 4, 3))
    check_gradients(make(), x, 1e-6)


def trained(layer):
    """The kernel in front of a layer, before and after a training step."""
    keras.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Conv2D(3, 3), layer, layers.Flatten()])
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    x = np.random.default_rng(0).uniform(0, 255, (4, 4, 4, 3))
    model.fit(x, np.zeros((4, 12)), verbose=0)
    return before, model.get_weights()[0]


def test_equalization_has_no_slope():
    """As in Keras: where a table is read does not follow the pixels continuously."""
    before, after = trained(layers.Equalization())
    np.testing.assert_array_equal(after, before)


def test_posterization_behind_a_weight_is_refused_with_the_reason():
    with pytest.raises(GradientError, match=r"layer 'bits': no gradient: constant between jumps"):
        trained(layers.RandomPosterization(4, name="bits"))
