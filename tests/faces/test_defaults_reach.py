"""Defaults of the process reach what is computed after they are set, as in Keras."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, losses, ops

Y = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
P = np.array([[0.02, 0.98], [0.7, 0.3]], np.float32)

WITH_A_TENTH = {
    "categorical_crossentropy": [0.10536054, 0.35667497],
    "binary_crossentropy": [0.10536053, 0.35667497],
    "mean_absolute_percentage_error": [11.0, 165.0],
    "kl_divergence": [0.0202027, 0.24681374],
    "poisson": [0.46151945, 0.61157179],
    "dice": 0.18048776,
    "tversky": 0.19999993,
    "mean_squared_logarithmic_error": [5.0504830e-05, 0.02715972],
}
"""Losses of Keras 3.15.1 (torch) after `set_epsilon(0.1)`."""


@pytest.mark.parametrize("name", WITH_A_TENTH)
def test_epsilon_reaches_losses(name):
    before = getattr(losses, name)(Y, P)
    keras.config.set_epsilon(0.1)
    after = getattr(losses, name)(Y, P)
    np.testing.assert_allclose(after, WITH_A_TENTH[name], rtol=2e-5)
    assert not np.allclose(before, after, rtol=2e-5)


def test_epsilon_reaches_thresholds_and_norms():
    """0.03 / 0.1 and 0.04 / 0.1: a norm below the number counts as the number."""
    keras.config.set_epsilon(0.1)
    assert keras.metrics.AUC(num_thresholds=3).thresholds == pytest.approx([-0.1, 0.5, 1.1])
    short = ops.normalize(np.array([[0.03, 0.04]], np.float32))
    np.testing.assert_allclose(short, [[0.3, 0.4]], rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda **given: layers.Conv2D(5, 3, **given), (5, 4, 3)),
        (lambda **given: layers.Conv2DTranspose(5, 3, **given), (5, 8, 7)),
        (lambda **given: layers.DepthwiseConv2D(3, **given), (2, 4, 3)),
        (lambda **given: layers.SeparableConv2D(5, 3, **given), (5, 4, 3)),
        (lambda **given: layers.MaxPooling2D(2, **given), (2, 3, 2)),
        (layers.GlobalAveragePooling2D, (2,)),
        (lambda **given: layers.UpSampling2D(2, **given), (2, 12, 10)),
        (lambda **given: layers.ZeroPadding2D(1, **given), (2, 8, 7)),
        (lambda **given: layers.Cropping2D(1, **given), (2, 4, 3)),
        (lambda **given: layers.Resizing(3, 3, **given), (2, 3, 3)),
    ],
)
def test_data_format_reaches_layers(make, shape):
    keras.config.set_image_data_format("channels_first")
    x = np.random.default_rng(0).normal(size=(1, 2, 6, 5)).astype(np.float32)
    layer = make()
    assert layer.data_format == "channels_first"
    assert layer(x).shape == (1, *shape)
    keras.config.set_image_data_format("channels_last")
    assert make().data_format == "channels_last"
    assert make(data_format="channels_first")(x).shape == (1, *shape)


def test_data_format_reaches_functions():
    x = np.random.default_rng(0).normal(size=(1, 2, 6, 5)).astype(np.float32)
    last = ops.max_pool(x, 2)
    keras.config.set_image_data_format("channels_first")
    assert ops.max_pool(x, 2).shape == (1, 2, 3, 2) != last.shape
