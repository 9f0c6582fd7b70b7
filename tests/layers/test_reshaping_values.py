"""Layers that move, repeat and cut off elements: values, gradients, files and errors."""

from __future__ import annotations

import re

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from support.layers.exported import exported_outputs
from support.layers.layer_gradients import check_gradients

RNG = np.random.default_rng(5)
LAYERS = [
    (
        lambda **more: layers.Permute((2, 3, 1), **more),
        (2, 4, 3),
        lambda x: x.transpose(0, 2, 3, 1),
    ),
    (lambda **more: layers.Permute([1], **more), (4,), lambda x: x),
    (lambda **more: layers.RepeatVector(3, **more), (4,), lambda x: np.stack([x] * 3, axis=1)),
    (layers.Cropping1D, (4, 3), lambda x: x[:, 1:3]),
    (lambda **more: layers.Cropping1D((2, 0), **more), (4, 3), lambda x: x[:, 2:]),
    (lambda **more: layers.Cropping1D((0, 3), **more), (4, 3), lambda x: x[:, :1]),
    (lambda **more: layers.Cropping1D(0, **more), (4, 3), lambda x: x),
    (lambda **more: layers.Cropping2D(1, **more), (3, 5, 2), lambda x: x[:, 1:2, 1:4]),
    (lambda **more: layers.Cropping2D((0, 2), **more), (3, 5, 2), lambda x: x[:, :, 2:3]),
    (
        lambda **more: layers.Cropping2D(((1, 0), (2, 1)), "channels_first", **more),
        (2, 3, 5),
        lambda x: x[:, :, 1:, 2:4],
    ),
    (layers.Cropping3D, (3, 4, 5, 2), lambda x: x[:, 1:2, 1:3, 1:4]),
    (
        lambda **more: layers.Cropping3D(((0, 1), (2, 0), (1, 1)), "channels_first", **more),
        (2, 3, 4, 5),
        lambda x: x[:, :, :2, 2:, 1:4],
    ),
]
every_layer = pytest.mark.parametrize(("make", "shape", "definition"), LAYERS)


@every_layer
def test_values_are_those_of_the_definition_in_both_modes_and_in_a_file(
    make, shape, definition, tmp_path
):
    for batch in (1, 3):
        x = RNG.normal(size=(batch, *shape)).astype(np.float32)
        for y in (make()(x), make()(x, training=True), exported_outputs(make(), x, tmp_path)):
            np.testing.assert_array_equal(y, definition(x))


@every_layer
def test_gradients_are_those_of_finite_differences(make, shape, definition):
    check_gradients(make(dtype="float64"), RNG.normal(size=(2, *shape)))


@every_layer
def test_integers_stay_integers(make, shape, definition):
    x = RNG.integers(-9, 9, size=(2, *shape)).astype(np.int32)
    entry = keras.Input(shape, dtype="int32")
    y = keras.Model(entry, make()(entry)).predict(x, verbose=0)
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y, definition(x))


def test_lengths_that_are_not_known_are_cut_off_where_they_are():
    entry = keras.Input((None, 2))
    model = keras.Model(entry, layers.Cropping1D((1, 2))(entry))
    assert model.output_shape == (None, None, 2)
    for length in (4, 7):
        x = RNG.normal(size=(2, length, 2)).astype(np.float32)
        np.testing.assert_array_equal(model.predict(x, verbose=0), x[:, 1:-2])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            *(lambda: layers.Permute((0, 1)), ValueError),
            "Invalid permutation argument `dims` for Permute Layer. The set of indices in `dims` "
            "must be consecutive and start from 1. Received dims=(0, 1)",
        ),
        (
            *(lambda: layers.RepeatVector(2.0), TypeError),
            "Expected an integer value for `n`, got <class 'float'>.",
        ),
        (
            *(lambda: layers.RepeatVector(True), TypeError),
            "Expected an integer value for `n`, got <class 'bool'>.",
        ),
        (
            *(lambda: layers.RepeatVector(0), ValueError),
            "Argument `n` should be a positive integer. Received: n=0",
        ),
        (
            *(lambda: layers.Cropping1D((1, 2, 3)), ValueError),
            "The `cropping` argument must be a tuple of 2 integers. Received cropping=(1, 2, 3)",
        ),
        (
            *(lambda: layers.Cropping2D(-1), ValueError),
            "`cropping` cannot be negative. Received: cropping=-1.",
        ),
        (
            *(lambda: layers.Cropping2D((1, 2, 3)), ValueError),
            "`cropping` should have two elements. Received: cropping=(1, 2, 3).",
        ),
        (
            *(lambda: layers.Cropping2D((1, (1, 2, 3))), ValueError),
            "The `2nd entry of cropping` argument must be a tuple of 2 integers. Received 2nd "
            "entry of cropping=(1, 2, 3)",
        ),
        (
            *(lambda: layers.Cropping3D((1, 2)), ValueError),
            "`cropping` should have 3 elements. Received: cropping=(1, 2).",
        ),
        (
            *(lambda: layers.Cropping3D(1.5), ValueError),
            "`cropping` should be either an int, a tuple of 3 ints, or a tuple of 3 tuples of 2 "
            "ints, (before, after) for each axis. Received: cropping=1.5.",
        ),
        (
            *(lambda: layers.Cropping1D((2, 2))(keras.Input((4, 3))), ValueError),
            "`cropping` parameter of `Cropping1D` layer must be smaller than the input length. "
            "Received: input_shape=(None, 4, 3), cropping=(2, 2)",
        ),
        (
            *(lambda: layers.Cropping2D(2)(keras.Input((4, 5, 3))), ValueError),
            "Values in `cropping` argument should be smaller than the corresponding spatial "
            "dimension of the input. Received: input_shape=(None, 4, 5, 3), cropping=((2, 2), (2, "
            "2))",
        ),
        (
            *(lambda: layers.Permute((2, 1), name="p")(keras.Input((4,))), ValueError),
            "Input 0 with name 'None' of layer 'p' is incompatible with the layer: expected ndim=3"
            ", found ndim=2. Full shape received: (None, 4)",
        ),
    ],
)
def test_wrong_arguments_are_refused_in_the_words_of_keras(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
