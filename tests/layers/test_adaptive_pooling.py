"""Adaptive poolings: windows by definition, their gradients, and what they refuse."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from support.layers.layer_gradients import check_gradients

RNG = np.random.default_rng(3)


def pooled(x, sizes, reduce):
    """By definition: window i of n goes from floor(i s / n) to ceil((i + 1) s / n)."""
    for axis, n in enumerate(sizes, 1):
        s = x.shape[axis]
        parts = [
            reduce(x.take(range(i * s // n, math.ceil((i + 1) * s / n)), axis), axis)
            for i in range(n)
        ]
        x = np.stack(parts, axis)
    return x


@pytest.mark.parametrize(
    ("name", "reduce"),
    [("AdaptiveAveragePooling", np.mean), ("AdaptiveMaxPooling", np.max)],
)
@pytest.mark.parametrize("sizes", [(1,), (3,), (7,), (9,), (4, 5), (7, 2), (10, 3), (2, 3, 2)])
def test_windows_cover_every_axis_evenly(name, reduce, sizes):
    shape = (7, 6, 5)[: len(sizes)]
    layer = getattr(layers, f"{name}{len(sizes)}D")
    x = RNG.normal(size=(2, *shape, 3))
    expected = pooled(x, sizes, reduce)
    np.testing.assert_allclose(layer(sizes)(x), expected, rtol=1e-5, atol=1e-6)
    first = layer(sizes, data_format="channels_first")(np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.AdaptiveAveragePooling1D(4, dtype="float64"), (6, 2)),
        (layers.AdaptiveAveragePooling2D(3, dtype="float64"), (7, 6, 2)),
        (layers.AdaptiveAveragePooling2D((4, 5), "channels_first", dtype="float64"), (2, 7, 6)),
        (layers.AdaptiveAveragePooling3D((3, 2, 4), dtype="float64"), (4, 3, 5, 1)),
        (layers.AdaptiveMaxPooling1D(4, dtype="float64"), (6, 2)),
        (layers.AdaptiveMaxPooling2D((4, 5), dtype="float64"), (7, 6, 2)),
    ],
)
def test_gradient_is_that_of_finite_differences(layer, shape):
    check_gradients(layer, RNG.normal(size=(2, *shape)))


def test_sizes_must_be_known():
    with pytest.raises(ValueError) as caught:
        layers.AdaptiveMaxPooling2D(2, name="a")(keras.Input((None, 4, 3)))
    assert str(caught.value) == (
        "Layer 'a' (AdaptiveMaxPooling2D) needs to know the sizes that it pools: its windows "
        "depend on them. Received: `inputs.shape=(None, None, 4, 3)`. Give the input fixed sizes."
    )


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: layers.AdaptiveAveragePooling1D((1, 2)),
            TypeError,
            "`output_size` must be an integer or tuple of 1 integer. Received: (1, 2) of type",
        ),
        (
            lambda: layers.AdaptiveMaxPooling2D("2"),
            TypeError,
            "`output_size` must be an integer or (height, width) tuple. Received: 2 of type",
        ),
        (
            lambda: layers.AdaptiveMaxPooling3D(None),
            TypeError,
            "`output_size` must be an integer or (depth, height, width) tuple. Received: None of",
        ),
        (lambda: layers.AdaptiveMaxPooling2D(0), ValueError, "must be a tuple of 2 integers."),
        (lambda: layers.AdaptiveMaxPooling2D(2, "x"), ValueError, "The `data_format` argument"),
    ],
)
def test_illegal_arguments_are_refused_as_in_keras(make, error, text):
    with pytest.raises(error, match=re.escape(text)):
        make()
