"""Transposed convolutions give Keras's outputs, cell by cell, and train by their derivative."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.importers.keras.config import Catalogue, translate
from seqonnx.layers.serialization import KNOWN, deserialize

LAYERS = {1: layers.Conv1DTranspose, 2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}
RECORDED = Path(__file__).with_name("transposed_convolutions.txt").read_text("utf-8")


def recorded():
    """Arguments of a layer with one filter, and what Keras gives for 1, 10, 100."""
    for line in RECORDED.splitlines()[2:]:
        arguments, outputs = line.split(": ")
        window, stride, dilation, padding, extra = arguments.split()
        options = {
            "kernel_size": int(window),
            "strides": int(stride),
            "dilation_rate": int(dilation),
            "padding": padding,
            "output_padding": None if extra == "None" else int(extra),
        }
        yield options, np.array([float(number) for number in outputs.split()])


def applied(rank, options, arrays, data_format="channels_last"):
    """Outer product of one-dimensional inputs and kernels, through a layer with one filter."""
    x, kernel = np.float32(1), np.float32(1)
    for one, window in arrays:
        x, kernel = np.multiply.outer(x, one), np.multiply.outer(kernel, window)
    layer = LAYERS[rank](1, data_format=data_format, use_bias=False, **options)
    x = np.expand_dims(x, (0, 1) if data_format == "channels_first" else (0, -1))
    layer.build((None, *x.shape[1:]))
    layer.set_weights([kernel[..., None, None]])
    return layer(x).squeeze((0, 1) if data_format == "channels_first" else (0, -1))


def cell(options):
    size = options["kernel_size"]
    return np.array([1, 10, 100], np.float32), np.arange(1, size + 1, dtype=np.float32)


def test_outputs_along_one_axis_are_those_of_keras():
    for options, expected in recorded():
        np.testing.assert_array_equal(applied(1, options, [cell(options)]), expected, str(options))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rank", [2, 3])
def test_every_axis_has_its_own_arguments(rank, data_format):
    """A separable input and kernel give the product of what each axis gives alone."""
    known = [case for case in recorded() if case[0]["dilation_rate"] == 1]
    for step in range(12):
        first = known[(7 * step) % len(known)]
        same = [
            case
            for case in known
            if case[0]["padding"] == first[0]["padding"]
            and (case[0]["output_padding"] is None) == (first[0]["output_padding"] is None)
        ]
        axes = [first, *(same[(5 * step + 11 * axis) % len(same)] for axis in range(1, rank))]
        options = {"padding": first[0]["padding"]}
        for name in ("kernel_size", "strides", "output_padding"):
            values = tuple(case[0][name] for case in axes)
            options[name] = None if values[0] is None else values
        expected = np.float32(1)
        for _, one in axes:
            expected = np.multiply.outer(expected, one)
        found = applied(rank, options, [cell(case[0]) for case in axes], data_format)
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=str(options))


def by_definition(x, kernel, bias, stride):
    """Every cell adds its window, of all filters, to a larger image (float64)."""
    (batch, height, width, _), (rows, columns, filters, _) = x.shape, kernel.shape
    y = np.zeros((batch, (height - 1) * stride + rows, (width - 1) * stride + columns, filters))
    for i in range(height):
        for j in range(width):
            window = np.einsum("bc,hwfc->bhwf", x[:, i, j], kernel)
            y[:, i * stride : i * stride + rows, j * stride : j * stride + columns] += window
    return y + bias


def test_channels_and_bias_follow_the_definition():
    rng = np.random.default_rng(3)
    layer = layers.Conv2DTranspose(3, (4, 3), 2)
    layer.build((None, 5, 4, 2))
    kernel, bias = (rng.normal(size=v.shape) for v in layer.weights)
    layer.set_weights([kernel, bias])
    x = rng.normal(size=(2, 5, 4, 2))
    np.testing.assert_allclose(layer(x), by_definition(x, kernel, bias, 2), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("rank", "options"),
    [
        (1, {"kernel_size": 4, "strides": 3, "padding": "same", "output_padding": 2}),
        (1, {"kernel_size": 2, "strides": 4}),
        (2, {"kernel_size": (3, 2), "strides": 2, "padding": "same"}),
        (2, {"kernel_size": 3, "dilation_rate": 2, "data_format": "channels_first"}),
        (3, {"kernel_size": 2, "strides": 2, "padding": "same"}),
    ],
)
def test_a_step_follows_the_derivative(rank, options):
    """Two layers, so that the input's derivative counts, too.

    The loss is quadratic in each weight, so that central differences of any length are exact.
    """
    rng = np.random.default_rng(rank)
    cls, shape = LAYERS[rank], (*(3, 2, 2)[:rank], 2)
    stack = [cls(2, **options), cls(1, **options)]
    model = keras.Sequential([keras.Input(shape), *stack])
    for layer in stack:
        layer.set_weights([rng.normal(size=v.shape) for v in layer.weights])
    x = rng.normal(size=(2, *shape))
    y = rng.normal(size=(2, *model.output_shape[1:]))
    before = model.get_weights()

    def loss(weights):
        model.set_weights(weights)
        return np.square(model.predict(x, verbose=0).astype(np.float64) - y).mean()

    differences = []
    for number, weight in enumerate(before):
        direction = rng.normal(size=weight.shape)
        ends = []
        for sign in (1, -1):
            moved = list(before)
            moved[number] = weight + sign * 0.5 * direction
            ends.append(loss(moved))
        differences.append((direction, ends[0] - ends[1]))
    model.set_weights(before)
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.train_on_batch(x, y)
    for old, new, (direction, expected) in zip(
        before, model.get_weights(), differences, strict=True
    ):
        assert ((old - new) * direction).sum() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_image_size_may_be_unknown():
    fixed = layers.Conv2DTranspose(2, 3, 2, "same")
    x = np.random.default_rng(0).normal(size=(1, 3, 5, 2)).astype(np.float32)
    expected = fixed(x)
    model = keras.Sequential(
        [keras.Input((None, None, 2)), layers.Conv2DTranspose(2, 3, 2, "same")]
    )
    assert model.output_shape == (None, None, None, 2)
    model.set_weights(fixed.get_weights())
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-6)


def test_illegal_arguments_are_refused_with_keras_texts():
    for options, expected in (
        ({"padding": "causal"}, r"`padding` argument must be a list/tuple or one of {'same', 'val"),
        (
            {"strides": 2, "output_padding": 2},
            r"`output_padding` must be strictly less than `strides` for all dimensions. At "
            r"dimension 0, `output_padding` is 2 but `strides` is 2. Received: output_padding=",
        ),
        ({"strides": 2, "dilation_rate": 2}, "`strides > 1` not supported in conjunction with"),
        ({"filters": 0}, "Expected a strictly positive value. Received filters=0."),
    ):
        with pytest.raises(ValueError, match=expected):
            layers.Conv1DTranspose(**({"filters": 1, "kernel_size": 3} | options))
    with pytest.raises(ValueError, match="'t' would have no output on axis 1: a larger `output"):
        layers.Conv1DTranspose(1, 2, 2, "same", 0, name="t")(np.ones((1, 1, 1)))


def test_places_of_the_arguments_are_those_of_keras():
    assert layers.Conv2DTranspose(1, 3, 2, "same", 1, "channels_first").output_padding == (1, 1)
    layer = layers.Conv3DTranspose(1, 3, 2, "same", "channels_first", 1, 1, "relu")
    assert (layer.output_padding, layer.data_format) == ((1, 1, 1), "channels_first")
    assert layer.get_config()["activation"] == "relu"


def test_configuration_of_keras_is_read():
    """Written by Keras 3.15.1."""
    config = {
        "name": "c",
        "trainable": True,
        "dtype": {"class_name": "DTypePolicy", "config": {"name": "float32"}},
        "filters": 3,
        "kernel_size": [2, 2],
        "strides": [1, 1],
        "padding": "valid",
        "output_padding": None,
        "data_format": "channels_last",
        "dilation_rate": [1, 1],
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {"seed": None, "input_axes": None, "output_axes": None},
        },
        "bias_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}},
        "kernel_regularizer": None,
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
    }
    entry = {"module": "keras.layers", "class_name": "Conv2DTranspose", "config": config}
    layer = deserialize(translate(entry, Catalogue(KNOWN, {})))
    assert layer(np.zeros((1, 4, 4, 2))).shape == (1, 5, 5, 3)
    assert {key for key in config if key not in layer.get_config()} == {"activity_regularizer"}
