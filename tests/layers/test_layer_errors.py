"""Wrong arguments are refused where they are given, in Keras's words."""

from __future__ import annotations

import re

import numpy as np
import pytest

from seqonnx import layers
from seqonnx.graph import Emitter
from seqonnx.layers import Input


def on(layer: layers.Layer, *shape: int | None):
    return lambda: layer(Input(shape))


CONSTRUCTORS = [
    (
        lambda: layers.Dense(0),
        "Received an invalid value for `units`, expected a positive integer. Received: units=0",
    ),
    (lambda: layers.Dense(3, foo=3), "Unrecognized keyword arguments passed to Dense: {'foo': 3}"),
    (
        lambda: layers.Dense(3, batch_input_shape=(1, 2)),
        "Unrecognized keyword arguments passed to Dense: {'batch_input_shape': (1, 2)}",
    ),
    (
        lambda: layers.Dense(3, "foo"),
        "Could not interpret activation function identifier: foo",
    ),
    (
        lambda: layers.Dense(3, kernel_initializer="foo"),
        "Could not interpret initializer identifier: foo",
    ),
    (
        lambda: layers.Dense(3, layers.PReLU(name="p")),
        "A layer with weights cannot be the `activation` of another: add PReLU to the model as a "
        "layer of its own. Received: activation=<PReLU name=p, built=False>",
    ),
    (
        lambda: layers.Dropout(2),
        "Invalid value received for argument `rate`. Expected a float value between 0 and 1. "
        "Received: rate=2",
    ),
    (
        lambda: layers.Conv2D(2, 3, strides=2, dilation_rate=2),
        "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
        "strides=(2, 2) and dilation_rate=(2, 2)",
    ),
    (
        lambda: layers.Conv2D(2, 3, padding="foo"),
        "The `padding` argument must be a list/tuple or one of {'same', 'valid'}. Received: foo",
    ),
    (
        lambda: layers.Conv2D(2, 3, padding="causal"),
        "The `padding` argument must be a list/tuple or one of {'same', 'valid'}. Received: causal",
    ),
    (
        lambda: layers.Conv2D(3, 3, groups=2),
        "The number of filters must be evenly divisible by the number of groups. Received: "
        "groups=2, filters=3.",
    ),
    (
        lambda: layers.Conv2D(0, 3),
        "Invalid value for argument `filters`. Expected a strictly positive value. Received "
        "filters=0.",
    ),
    (
        lambda: layers.Conv2D(3, (3, 3, 3)),
        "The `kernel_size` argument must be a tuple of 2 integers. Received kernel_size=(3, 3, 3)",
    ),
    (
        lambda: layers.Conv2D(3, (0, 3)),
        "The `kernel_size` argument must be a tuple of 2 integers. Received kernel_size=(0, 3), "
        "including values [0] that do not satisfy `value > 0`",
    ),
    (
        lambda: layers.Conv2D(3, 3, data_format="first"),
        "The `data_format` argument must be one of {'channels_first', 'channels_last'}. Received: "
        "data_format=first",
    ),
    (
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=0),
        "Invalid value for argument `depth_multiplier`. Expected a strictly positive value. "
        "Received depth_multiplier=0.",
    ),
    (
        lambda: layers.MaxPooling2D(2.5),
        "The `pool_size` argument must be a tuple of 2 integers. Received pool_size=2.5",
    ),
    (
        lambda: layers.ZeroPadding2D((1, 2, 3)),
        "`padding` should have 2 elements. Received: padding=(1, 2, 3).",
    ),
    (
        lambda: layers.ReLU(max_value=-1),
        "max_value of a ReLU layer cannot be a negative value. Received: max_value=-1",
    ),
    (
        lambda: layers.ReLU(threshold=-1),
        "threshold of a ReLU layer cannot be a negative value. Received: threshold=-1",
    ),
    (
        lambda: layers.LeakyReLU(None),
        "The negative_slope value of a Leaky ReLU layer cannot be None or negative value. "
        "Expected a float. Received: negative_slope=None",
    ),
    (
        lambda: layers.BatchNormalization(axis=[1, 2]),
        "Expected `axis` to be an integer. Received: axis=[1, 2]",
    ),
    (
        lambda: layers.Reshape((-1, -1)),
        "The `target_shape` of a Reshape layer may hold -1 once. Received: target_shape=(-1, -1)",
    ),
]

CALLS = [
    (
        on(layers.Dense(3, name="d0")),
        "Input 0 with name 'None' of layer 'd0' is incompatible with the layer: expected "
        "min_ndim=2, found ndim=1. Full shape received: (None,)",
    ),
    (
        on(layers.Dense(3, name="d1"), None),
        "Shapes used to initialize variables must be fully-defined (no `None` dimensions). "
        "Received: shape=(None, 3) for variable path='d1/kernel'",
    ),
    (
        on(layers.Conv2D(3, 3, name="c0"), 28, 28),
        "Input 0 with name 'None' of layer 'c0' is incompatible with the layer: expected "
        "min_ndim=4, found ndim=3. Full shape received: (None, 28, 28)",
    ),
    (
        on(layers.Conv2D(3, 3, name="c1"), 2, 28, 28, 1),
        "Input 0 with name 'None' of layer 'c1' is incompatible with the layer: expected "
        "ndim=4, found ndim=5. Full shape received: (None, 2, 28, 28, 1)",
    ),
    (
        on(layers.Conv2D(2, 3), 2, 2, 1),
        "Computed output size would be zero or negative. Received `inputs shape=(None, 2, 2, 1)`, "
        "`kernel shape=(3, 3, 1, 2)`, `dilation_rate=[1 1]`, `strides=(1, 1)`, `padding=valid`.",
    ),
    (
        on(layers.Conv2D(4, 3, groups=2), 8, 8, 3),
        "The number of input channels must be evenly divisible by the number of groups. Received "
        "groups=2, but the input has 3 channels (full input shape is (None, 8, 8, 3)).",
    ),
    (
        on(layers.MaxPooling2D(3), 2, 2, 1),
        "Computed output size would be zero or negative. Received: `inputs.shape=(None, 2, 2, 1)` "
        "and `pool_size=(3, 3)`.",
    ),
    (
        on(layers.MaxPooling2D(name="m"), 4, 4),
        "Input 0 with name 'None' of layer 'm' is incompatible with the layer: expected ndim=4, "
        "found ndim=3. Full shape received: (None, 4, 4)",
    ),
    (
        on(layers.Reshape((4, 2)), 6),
        "The total size of the tensor must be unchanged. Received: input_shape=(6,), "
        "target_shape=(4, 2)",
    ),
    (
        on(layers.Reshape((4, -1)), 6),
        "The total size of the tensor must be unchanged. Received: input_shape=(6,), "
        "target_shape=(4, -1)",
    ),
    (
        on(layers.BatchNormalization(axis=0, name="b"), 4),
        "`axis` of layer 'b' must be an axis of its input other than the batch. Received: axis=0, "
        "input_shape=(None, 4)",
    ),
    (
        on(layers.BatchNormalization(axis=3, name="b"), 4),
        "`axis` of layer 'b' must be an axis of its input other than the batch. Received: axis=3, "
        "input_shape=(None, 4)",
    ),
    (
        lambda: layers.Dropout(0.5, noise_shape=(1, 2), name="d")(np.ones((1, 2, 3)), True),
        "Argument `noise_shape` of layer 'd' must have as many sizes as its input (3). Received: "
        "noise_shape=(1, 2)",
    ),
]


@pytest.mark.parametrize(("make", "text"), CONSTRUCTORS, ids=[text for _, text in CONSTRUCTORS])
def test_illegal_argument_is_refused(make, text):
    with pytest.raises(ValueError, match=rf"^{re.escape(text)}(\. Expected .*)?$"):
        make()


@pytest.mark.parametrize(("call", "text"), CALLS, ids=[text for _, text in CALLS])
def test_unfit_input_is_refused(call, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        call()


def test_average_pooling_has_no_default_size():
    with pytest.raises(TypeError, match="pool_size"):
        layers.AveragePooling2D()


@pytest.mark.parametrize("layer", [layers.Dense(3), layers.Conv2D(3, 3)], ids=["dense", "conv"])
def test_kernel_before_build(layer):
    with pytest.raises(
        AttributeError, match=r"^You must build the layer before accessing `kernel`"
    ):
        _ = layer.kernel


def test_statistics_before_build():
    with pytest.raises(AttributeError, match=r"^You must build the layer before .*`moving_mean`"):
        _ = layers.BatchNormalization().moving_mean


def test_built_layer_keeps_its_input_size():
    layer = layers.Dense(2, name="d0")
    layer(np.ones((1, 3)))
    text = (
        "Input 0 with name 'None' of layer 'd0' is incompatible with the layer: expected axis -1 "
        "of input shape to have value 3, but received input with shape (1, 4)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        layer(np.ones((1, 4)))
    conv = layers.Conv2D(2, 3)
    conv(Input((8, 8, 3)))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
        conv(Input((8, 8, 4)))


def test_noise_needs_a_known_size():
    op = Emitter()
    x = op.input("x", "float32", ("batch", None))
    with pytest.raises(ValueError, match="Noise needs an input of known size"):
        layers.Dropout(0.5)._emit(op, x, True)


def test_unknown_class_is_refused_with_the_known_ones():
    with pytest.raises(
        ValueError, match=r"^Could not locate class 'Foo'.*Known layers: Activation,"
    ):
        layers.deserialize({"class_name": "Foo", "config": {}})
