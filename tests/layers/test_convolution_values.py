"""Convolutions and poolings compute what PyTorch computes, padded as Keras pads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from seqonnx import layers
from seqonnx.graph import Emitter
from support.layers.emission import runtime

torch = pytest.importorskip("torch")
functional = torch.nn.functional

RNG = np.random.default_rng(7)


def images(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def same_pads(sizes, window, strides, dilations) -> list[tuple[int, int]]:
    """Keras's rule: ceil(size / stride) outputs, the odd cell at the end."""
    pads = []
    for size, k, s, d in zip(sizes, window, strides, dilations, strict=True):
        total = max((int(np.ceil(size / s)) - 1) * s + (k - 1) * d + 1 - size, 0)
        pads.append((total // 2, total - total // 2))
    return pads


def padded(x, pads, value=0.0):
    """Pad a channels-first torch tensor."""
    flat = [n for pair in reversed(pads) for n in pair]
    return functional.pad(torch.tensor(x), flat, value=value)


def to_first(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, -1, 1)


def to_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.asarray(x), 1, -1)


def pads_of(padding, sizes, window, strides, dilations):
    if padding == "same":
        return same_pads(sizes, window, strides, dilations)
    if padding == "causal":
        return [((window[0] - 1) * dilations[0], 0)]
    return [(0, 0)] * len(sizes)


CONVOLUTIONS = [
    # rank, window, strides, dilations, groups, padding
    *(
        (2, window, strides, (1, 1), groups, padding)
        for window, strides, groups, padding in itertools.product(
            [(3, 3), (2, 4), (1, 1)], [(1, 1), (2, 3)], [1, 2], ["same", "valid"]
        )
    ),
    (2, (3, 3), (1, 1), (2, 1), 1, "same"),
    (2, (3, 2), (1, 1), (2, 3), 2, "valid"),
    (1, (4,), (1,), (1,), 1, "same"),
    (1, (3,), (2,), (1,), 2, "causal"),
    (1, (3,), (1,), (2,), 1, "causal"),
    (3, (2, 3, 2), (1, 2, 1), (1, 1, 1), 1, "same"),
]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("rank", "window", "strides", "dilations", "groups", "padding"), CONVOLUTIONS
)
def test_convolution(rank, window, strides, dilations, groups, padding, data_format):
    sizes = (9, 8, 5)[:rank]
    x = images(2, *sizes, 4)
    cls = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}[rank]
    layer = cls(
        *(6, window, strides, padding, data_format, dilations, groups), bias_initializer="normal"
    )
    y = layer(x if data_format == "channels_last" else to_first(x))
    kernel, bias = layer.get_weights()
    assert kernel.shape == (*window, 4 // groups, 6)
    expected = getattr(functional, f"conv{rank}d")(
        padded(to_first(x), pads_of(padding, sizes, window, strides, dilations)),
        torch.tensor(np.moveaxis(kernel, (-1, -2), (0, 1)).copy()),
        torch.tensor(bias),
        stride=strides,
        dilation=dilations,
        groups=groups,
    ).numpy()
    if data_format == "channels_last":
        expected = to_last(expected)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2])
def test_depthwise_convolution(multiplier, padding, strides):
    x = images(2, 8, 7, 4)
    layer = layers.DepthwiseConv2D(3, strides, padding, multiplier, bias_initializer="normal")
    y = layer(x)
    kernel, bias = layer.get_weights()
    weight = kernel.transpose(2, 3, 0, 1).reshape(4 * multiplier, 1, 3, 3)
    pads = pads_of(padding, (8, 7), (3, 3), (strides, strides), (1, 1))
    expected = functional.conv2d(
        padded(to_first(x), pads), torch.tensor(weight), torch.tensor(bias), strides, groups=4
    )
    np.testing.assert_allclose(y, to_last(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize(("padding", "strides", "dilations"), [("same", 2, 1), ("valid", 1, 2)])
def test_separable_convolution(multiplier, padding, strides, dilations):
    x = images(2, 8, 7, 4)
    layer = layers.SeparableConv2D(
        5, 3, strides, padding, None, dilations, multiplier, bias_initializer="normal"
    )
    y = layer(x)
    depthwise, pointwise, bias = layer.get_weights()
    weight = torch.tensor(depthwise.transpose(2, 3, 0, 1).reshape(4 * multiplier, 1, 3, 3))
    mix = torch.tensor(pointwise.transpose(3, 2, 0, 1).copy())
    pads = pads_of(padding, (8, 7), (3, 3), (strides, strides), (dilations, dilations))
    channels = functional.conv2d(
        padded(to_first(x), pads), weight, None, strides, 0, dilations, groups=4
    )
    expected = functional.conv2d(channels, mix, torch.tensor(bias))
    np.testing.assert_allclose(y, to_last(expected), rtol=1e-4, atol=1e-5)


POOLINGS = list(itertools.product([(2, 2), (3, 2)], [None, (1, 1), (3, 2)], ["same", "valid"]))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("window", "strides", "padding"), POOLINGS)
def test_max_pooling(window, strides, padding, data_format):
    x = images(2, 9, 8, 3) - 5.0
    layer = layers.MaxPooling2D(window, strides, padding, data_format)
    y = layer(x if data_format == "channels_last" else to_first(x))
    steps = strides or window
    pads = pads_of(padding, (9, 8), window, steps, (1, 1))
    expected = functional.max_pool2d(padded(to_first(x), pads, -np.inf), window, steps).numpy()
    np.testing.assert_array_equal(
        y, expected if data_format == "channels_first" else to_last(expected)
    )


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("window", "strides", "padding"), POOLINGS)
def test_average_pooling_leaves_out_the_padding(window, strides, padding, data_format):
    x = images(2, 9, 8, 3)
    layer = layers.AveragePooling2D(window, strides, padding, data_format)
    y = layer(x if data_format == "channels_last" else to_first(x))
    steps = strides or window
    pads = pads_of(padding, (9, 8), window, steps, (1, 1))
    sums = functional.avg_pool2d(padded(to_first(x), pads), window, steps)
    share = functional.avg_pool2d(padded(np.ones_like(to_first(x)), pads), window, steps)
    expected = (sums / share).numpy()
    np.testing.assert_allclose(
        y, expected if data_format == "channels_first" else to_last(expected), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("rank", [1, 3])
def test_poolings_of_other_ranks(rank):
    x = images(2, *(6, 4, 5)[:rank], 3)
    for name, short in (("Max", "max"), ("Average", "avg")):
        layer = getattr(layers, f"{name}Pooling{rank}D")(2)
        pool = getattr(functional, f"{short}_pool{rank}d")
        expected = pool(torch.tensor(to_first(x).copy()), 2)
        np.testing.assert_allclose(layer(x), to_last(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_global_pooling(rank):
    x = images(2, *(6, 4, 5)[:rank], 3)
    axes = tuple(range(1, rank + 1))
    for name, reduce in (("Max", np.max), ("Average", np.mean)):
        cls = getattr(layers, f"Global{name}Pooling{rank}D")
        np.testing.assert_allclose(cls()(x), reduce(x, axes), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            cls(keepdims=True)(x), reduce(x, axes, keepdims=True), rtol=1e-5, atol=1e-6
        )
        np.testing.assert_allclose(
            cls("channels_first", keepdims=True)(to_first(x)),
            to_first(reduce(x, axes, keepdims=True)),
            rtol=1e-5,
            atol=1e-6,
        )


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2])
def test_image_size_may_be_unknown(padding, strides):
    fixed, free = (layers.Conv2D(2, 3, strides, padding, name=name) for name in ("a", "b"))
    pool = layers.MaxPooling2D(3, strides, padding)
    x = images(1, 7, 10, 3)
    expected = fixed(x)
    assert free(layers.Input((None, None, 3))).shape == (None, None, None, 2)
    assert pool(layers.Input((None, None, 3))).shape == (None, None, None, 3)
    free.set_weights(fixed.get_weights())
    op = emitted_with_unknown_size(free)
    np.testing.assert_allclose(op(x), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(emitted_with_unknown_size(pool)(x), pool(x))


def emitted_with_unknown_size(layer):
    op = Emitter()
    x = op.input("x", "float32", ("batch", "height", "width", 3))
    op.output(layer._emit(op, x, training=False), "y")
    return lambda array: runtime(op, {"x": array})[0]
