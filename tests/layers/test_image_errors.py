"""Layers on images refuse wrong arguments in Keras's words, and other things with a reason."""

from __future__ import annotations

import re

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

IN_KERAS = [
    (
        *("RandomRotation", {"factor": 2}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range "
        "[-1, 1]. Received: factor=2",
    ),
    (
        *("RandomRotation", {"factor": (1, 2, 3)}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range "
        "[-1, 1]. Received: factor=(1, 2, 3)",
    ),
    (
        *("RandomRotation", {"factor": "a"}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range "
        "[-1, 1]. Received: factor=a",
    ),
    (
        *("RandomRotation", {"factor": 0.1, "fill_mode": "foo"}, NotImplementedError),
        "Unknown `fill_mode` foo. Expected of one ('reflect', 'wrap', 'constant', 'nearest').",
    ),
    (
        *("RandomRotation", {"factor": 0.1, "interpolation": "foo"}, NotImplementedError),
        "Unknown `interpolation` foo. Expected of one ('nearest', 'bilinear').",
    ),
    (
        *("RandomZoom", {"height_factor": 2}, ValueError),
        "The `height_factor` and `width_factor` arguments should be a number (or a list of "
        "two numbers) in the range (-1.0, 1.0]. Received: input_number=2",
    ),
    (
        *("RandomZoom", {"height_factor": -1}, ValueError),
        "The `height_factor` and `width_factor` arguments should be a number (or a list of "
        "two numbers) in the range (-1.0, 1.0]. Received: input_number=-1",
    ),
    (
        *("RandomZoom", {"height_factor": (0.1, 0.2, 0.3)}, ValueError),
        "The `height_factor` and `width_factor` arguments should be a number (or a list of "
        "two numbers) in the range (-1.0, 1.0]. Received: height_factor=(0.1, 0.2, 0.3)",
    ),
    (
        *("RandomZoom", {"height_factor": 0.1, "width_factor": "a"}, ValueError),
        "The `height_factor` and `width_factor` arguments should be a number (or a list of "
        "two numbers) in the range (-1.0, 1.0]. Received: width_factor=a",
    ),
    (
        *("RandomZoom", {"height_factor": 0.1, "fill_mode": "mirror"}, NotImplementedError),
        "Unknown `fill_mode` mirror. Expected of one ('reflect', 'wrap', 'constant', 'nearest').",
    ),
    (
        *("RandomTranslation", {"height_factor": 1.5, "width_factor": 0.1}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range "
        "[-1.0, 1.0]. Received: input_number=1.5",
    ),
    (
        *("RandomTranslation", {"height_factor": 0.1, "width_factor": (0.1,)}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range "
        "[-1.0, 1.0]. Received: width_factor=(0.1,)",
    ),
    (
        *("RandomShear", {"x_factor": -0.5}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1.0]. Received: input_number=-0.5",
    ),
    (
        *("RandomShear", {"x_factor": (0.1, 1.5)}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1.0]. Received: input_number=1.5",
    ),
    (
        *("RandomShear", {"y_factor": "a"}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1.0]. Received: y_factor=a",
    ),
    (
        *("RandomContrast", {"factor": -0.5}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1]. Received: factor=-0.5",
    ),
    (
        *("RandomContrast", {"factor": 1.5}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1]. Received: factor=1.5",
    ),
    (
        *("RandomBrightness", {"factor": 1.5}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range "
        "[-1, 1]. Received: factor=1.5",
    ),
    (
        *("RandomBrightness", {"factor": 0.5, "value_range": 3}, ValueError),
        "The `value_range` argument should be a list of two numbers. Received: value_range=3",
    ),
    (
        *("RandomBrightness", {"factor": 0.5, "value_range": (1, 2, 3)}, ValueError),
        "The `value_range` argument should be a list of two numbers. Received: "
        "value_range=(1, 2, 3)",
    ),
    (
        *("RandomHue", {"factor": 1.2}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1]. Received: factor=1.2",
    ),
    (
        *("RandomSaturation", {"factor": 1.2}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range "
        "[-1, 1]. Received: factor=1.2",
    ),
    (
        *("RandomGrayscale", {"factor": 1.2}, ValueError),
        "`factor` should be between 0 and 1. Received: factor=1.2",
    ),
    (
        *("RandomSharpness", {"factor": 1.2}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1]. Received: factor=1.2",
    ),
    (
        *("RandomErasing", {"scale": 1.2}, ValueError),
        "The `scale` argument should be a number (or a list of two numbers) in the range [0, "
        "1]. Received: factor=1.2",
    ),
    (
        *("RandomErasing", {"factor": 1.2}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1]. Received: factor=1.2",
    ),
    (
        *("RandomInvert", {"factor": 1.2}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1]. Received: factor=1.2",
    ),
    (
        *("RandomPerspective", {"scale": 1.2}, ValueError),
        "The `scale` argument should be a number in the range [0,1]. Received: scale=1.2",
    ),
    (
        *("RandomPerspective", {"interpolation": "bicubic"}, NotImplementedError),
        "Unknown `interpolation` bicubic. Expected of one ('nearest', 'bilinear').",
    ),
    (
        *("RandomGaussianBlur", {"kernel_size": 4}, ValueError),
        "kernel_size must be an odd number. Received: kernel_size=4",
    ),
    (
        *("RandomGaussianBlur", {"kernel_size": (3, 3, 3)}, ValueError),
        "The `kernel_size` argument should be a number (or a list of two numbers) Received: "
        "kernel_size=(3, 3, 3)",
    ),
    (
        *("RandomGaussianBlur", {"sigma": 2}, ValueError),
        "The `sigma` argument should be a number (or a list of two numbers) in the range [0, "
        "1]. Received: factor=2",
    ),
    (
        *("RandomElasticTransform", {"scale": 2}, ValueError),
        "The `scale` argument should be a number (or a list of two numbers) in the range [0, "
        "1]. Received: factor=2",
    ),
    (
        *("RandomPosterization", {"factor": 9}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [1,"
        " 8]. Received: factor=9",
    ),
    (
        *("RandomPosterization", {"factor": 0}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [1,"
        " 8]. Received: factor=0",
    ),
    (
        *("RandomColorDegeneration", {"factor": 3}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range "
        "[-1, 1]. Received: factor=3",
    ),
    (
        *("AutoContrast", {"value_range": 1}, ValueError),
        "The `value_range` argument should be a list of two numbers. Received: value_range=1",
    ),
    (
        *("Solarization", {"addition_factor": 2}, ValueError),
        "The `addition_factor` and `threshold_factor` arguments should be a number (or a list"
        " of two numbers) in the range [0, 1]. Received: input_number=2",
    ),
    (
        *("Solarization", {"threshold_factor": "a"}, ValueError),
        "The `addition_factor` and `threshold_factor` arguments should be a number (or a list"
        " of two numbers) in the range [0, 1]. Received: threshold_factor=a",
    ),
    (
        *("CutMix", {"factor": 2}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1]. Received: factor=2",
    ),
    (
        *("RandAugment", {"factor": 2}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1]. Received: factor=2",
    ),
    (
        *("AugMix", {"factor": 2}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1]. Received: factor=2",
    ),
    (
        *("RandomFlip", {"seed": "a"}, ValueError),
        "Argument `seed` must be an integer. Received: seed=a",
    ),
    (
        *("RandomFlip", {"data_format": "foo"}, ValueError),
        "The `data_format` argument must be one of {'channels_first', 'channels_last'}. "
        "Received: data_format=foo",
    ),
    (
        *("RandomColorJitter", {"hue_factor": 3}, ValueError),
        "The `factor` argument should be a number (or a list of two numbers) in the range [0,"
        " 1]. Received: factor=3",
    ),
]
"""As Keras 3.15.1 says it."""


@pytest.mark.parametrize(("name", "arguments", "error", "text"), IN_KERAS)
def test_wrong_argument_is_refused_in_the_words_of_keras(name, arguments, error, text):
    with pytest.raises(error, match=re.escape(text)):
        getattr(layers, name)(**arguments)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: layers.RandomFlip("sideways"), "Argument `mode` must be one of ('horizontal', "),
        (lambda: layers.Resizing(0, 3), "Argument `height` must be a positive integer. Received: "),
        (lambda: layers.Resizing(3, 2.5), "Argument `width` must be a positive integer."),
        (lambda: layers.Resizing(3, 3, "area"), "Expected of one ('nearest', 'bilinear', "),
        (lambda: layers.Resizing(3, 3, fill_mode="edge"), "Only `'constant'` is supported."),
        (lambda: layers.Resizing(3, 3, "nearest", True, True), "Only one of `pad_to_aspect_ratio`"),
        (lambda: layers.RandomErasing(fill_value=(1, 2)), "(or a list of three numbers). Received"),
        (lambda: layers.Equalization(bins=1), "Argument `bins` must be an integer above 1."),
        (lambda: layers.MixUp(0), "Argument `alpha` must be a number above 0. Received: alpha=0"),
        (lambda: layers.AugMix(num_chains=0), "Argument `num_chains` must be a positive integer."),
        (
            lambda: layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=8),
            "must be two positive integers (rows and columns of tiles). Received: tile_grid_size=8",
        ),
        (lambda: layers.Pipeline("flip"), "Argument `layers` must be a list of layers."),
        (lambda: layers.Pipeline.from_config({"name": "p"}), "a list of serialized layers."),
        (
            lambda: layers.RandomFlip(bounding_box_format="xyxy"),
            "does not transform bounding boxes. Received: bounding_box_format='xyxy'. Leave",
        ),
    ],
)
def test_argument_is_refused_with_what_is_legal(make, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        make()


IMAGES = np.zeros((2, 4, 4, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: layers.RandomFlip()(IMAGES[0, 0]), "rank 3 (single image) or 4 (batch of images)"),
        (
            lambda: layers.RandomFlip()({"images": IMAGES, "bounding_boxes": {}}),
            "does not transform bounding boxes. Received: a dict with the keys ['images', ",
        ),
        (
            lambda: layers.MixUp()({"images": IMAGES, "segmentation_masks": IMAGES}),
            "does not transform segmentation masks.",
        ),
        (lambda: layers.RandomFlip()({"image": IMAGES}), "takes a dict with the key 'images'."),
        (lambda: layers.RandomHue(0.5)(IMAGES[..., :1]), "expected 3 (RGB). Received"),
        (lambda: layers.RandomGrayscale()(IMAGES[..., :2]), "expected 3 (RGB) or 1 (Grayscale)."),
        (
            lambda: layers.CenterCrop(2, 2)(keras.Input((None, None, 3))),
            "CenterCrop requires the input to have a fully defined height and width.",
        ),
        (
            lambda: layers.Resizing(2, 2, "lanczos3")(keras.Input((None, 4, 3))),
            "must have a known size. Received: height and width ('x_1', 4).",
        ),
    ],
)
def test_input_that_does_not_fit_is_refused(call, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        call()


def test_noise_of_every_pixel_needs_a_known_size():
    model = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            layers.RandomErasing(),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="draws numbers for every pixel and needs images of known"):
        model.fit(IMAGES[..., :1], np.zeros((2, 1)), verbose=0)
