"""Layers that normalize: values against the definition in float64, gradients, types and errors."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.autodiff import backward
from seqonnx.graph import Emitter, dtype_name
from support.layers.emission import runtime
from support.layers.exported import exported_outputs
from support.layers.layer_gradients import check_gradients

RNG = np.random.default_rng(8)
IMAGE = (4, 3, 6)


def standardized(x, axes, epsilon):
    """(x - mean) / sqrt(variance + epsilon) in float64."""
    x = x.astype(np.float64)
    centred = x - x.mean(axes, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)


def spread(weight, axes, rank):
    """A weight of the sizes of some axes, so that it broadcasts."""
    sizes = iter(weight.shape)
    return weight.reshape([next(sizes) if axis in axes else 1 for axis in range(rank)])


def normalized(x, weights, axes, epsilon=1e-3, scale=True, center=True):
    """Layer normalization."""
    rest = list(weights)
    y = standardized(x, axes, epsilon)
    y = y * spread(rest.pop(0), axes, x.ndim) if scale else y
    return y + spread(rest.pop(0), axes, x.ndim) if center else y


def grouped(x, weights, groups, axis=-1, epsilon=1e-3):
    """Group normalization, group by group."""
    channels_last = np.moveaxis(x, axis, -1)
    parts = np.split(channels_last, groups, axis=-1)
    axes = tuple(range(1, x.ndim))
    y = np.concatenate([standardized(part, axes, epsilon) for part in parts], axis=-1)
    return np.moveaxis(y * weights[0] + weights[1], -1, axis)


def rms(x, weights, axes, epsilon=1e-6):
    """Normalization to root mean square 1."""
    mean = (x.astype(np.float64) ** 2).mean(axes, keepdims=True)
    return x / np.sqrt(mean + epsilon) * spread(weights[0], axes, x.ndim)


def unit(x, weights, axes):
    """Normalization to norm 1."""
    return x / np.sqrt((x.astype(np.float64) ** 2).sum(axes, keepdims=True))


LAYERS = {
    "layer": (layers.LayerNormalization, {}, IMAGE, lambda x, w: normalized(x, w, (3,))),
    "layer-vector": (
        *(layers.LayerNormalization, {"epsilon": 0.1}, (6,)),
        lambda x, w: normalized(x, w, (1,), 0.1),
    ),
    "layer-axes": (
        *(layers.LayerNormalization, {"axis": [-1, 2]}, IMAGE),
        lambda x, w: normalized(x, w, (2, 3)),
    ),
    "layer-axis-1": (
        *(layers.LayerNormalization, {"axis": 1}, IMAGE),
        lambda x, w: normalized(x, w, (1,)),
    ),
    "layer-axes-apart": (
        *(layers.LayerNormalization, {"axis": (3, 1)}, IMAGE),
        lambda x, w: normalized(x, w, (1, 3)),
    ),
    "layer-centred": (
        *(layers.LayerNormalization, {"scale": False}, IMAGE),
        lambda x, w: normalized(x, w, (3,), scale=False),
    ),
    "layer-scaled": (
        *(layers.LayerNormalization, {"center": False}, IMAGE),
        lambda x, w: normalized(x, w, (3,), center=False),
    ),
    "layer-bare": (
        *(layers.LayerNormalization, {"center": False, "scale": False}, IMAGE),
        lambda x, w: normalized(x, w, (3,), scale=False, center=False),
    ),
    "group": (layers.GroupNormalization, {"groups": 3}, IMAGE, lambda x, w: grouped(x, w, 3)),
    "group-all": (
        *(layers.GroupNormalization, {"groups": 1, "epsilon": 0.1}, IMAGE),
        lambda x, w: grouped(x, w, 1, epsilon=0.1),
    ),
    "group-one": (layers.GroupNormalization, {"groups": -1}, IMAGE, lambda x, w: grouped(x, w, 6)),
    "group-first": (
        *(layers.GroupNormalization, {"groups": 2, "axis": 1}, IMAGE),
        lambda x, w: grouped(x, w, 2, 1),
    ),
    "group-middle": (
        *(layers.GroupNormalization, {"groups": 3, "axis": 2}, IMAGE),
        lambda x, w: grouped(x, w, 3, 2),
    ),
    "group-vector": (
        *(layers.GroupNormalization, {"groups": 2}, (6,)),
        lambda x, w: grouped(x, w, 2),
    ),
    "rms": (layers.RMSNormalization, {}, IMAGE, lambda x, w: rms(x, w, (3,))),
    "rms-axis-1": (
        *(layers.RMSNormalization, {"axis": 1, "epsilon": 0.1}, IMAGE),
        lambda x, w: rms(x, w, (1,), 0.1),
    ),
    "rms-axes": (
        *(layers.RMSNormalization, {"axis": [3, 1]}, IMAGE),
        lambda x, w: rms(x, w, (1, 3)),
    ),
    "unit": (layers.UnitNormalization, {}, IMAGE, lambda x, w: unit(x, w, (3,))),
    "unit-axes": (
        *(layers.UnitNormalization, {"axis": (1, 3)}, IMAGE),
        lambda x, w: unit(x, w, (1, 3)),
    ),
}
every_layer = pytest.mark.parametrize(
    ("cls", "arguments", "shape", "definition"), LAYERS.values(), ids=LAYERS
)


def weighted(layer, shape):
    """The layer, built, with weights that are neither zeros nor ones, and these."""
    layer._build_for((None, *shape))
    rng = np.random.default_rng(2)
    layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.weights])
    return layer, layer.get_weights()


@every_layer
def test_values_are_those_of_the_definition_in_both_modes_and_in_a_file(
    cls, arguments, shape, definition, tmp_path
):
    layer, weights = weighted(cls(**arguments), shape)
    x = RNG.normal(1.0, 2.0, size=(3, *shape)).astype(np.float32)
    expected = definition(x, weights)
    for y in (layer(x), layer(x, training=True), exported_outputs(layer, x, tmp_path)):
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=3e-6)


@every_layer
def test_gradients_are_those_of_finite_differences(cls, arguments, shape, definition):
    x = RNG.normal(1.0, 2.0, size=(2, *shape))
    check_gradients(cls(**arguments, dtype="float64"), x, tolerance=1e-6)


@every_layer
def test_statistics_of_half_precision_are_taken_in_float32(cls, arguments, shape, definition):
    """The squares of these numbers are infinite in float16.

    ONNX Runtime's CPU computes float16 in float32 of itself: the types in the graph count.
    """
    layer, weights = weighted(cls(**arguments, dtype="mixed_float16"), shape)
    x = RNG.normal(300.0, 200.0, size=(3, *shape)).astype(np.float16)
    y = layer(x)
    assert y.dtype == np.float16
    assert {weight.dtype for weight in layer.weights} <= {"float32"}
    np.testing.assert_allclose(y, definition(x, weights), rtol=2e-3, atol=2e-3)
    op = Emitter()
    layer._emit(op, op.input("x", "float16", ("batch", *shape)), training=True)
    narrow = {value for node in op.graph for value in node.inputs if dtype_name(value) == "float16"}
    assert {use.node.op_type for value in narrow for use in value.uses()} == {"Cast"}


@every_layer
def test_one_step_of_training_follows_the_gradient(cls, arguments, shape, definition):
    """A step of gradient descent, against the definition's differences in float64."""
    layer, weights = weighted(cls(**arguments), shape)
    x = RNG.normal(1.0, 2.0, size=(4, *shape)).astype(np.float32)
    target = RNG.normal(size=(4, *shape)).astype(np.float32)
    if len(weights) == 0:
        pytest.skip("there is nothing to train")
    model = keras.Sequential([keras.Input(shape), layer])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    model.fit(x, target, batch_size=4, verbose=0)

    def loss(moved):
        return np.square(definition(x, moved) - target).mean()

    for i, (weight, after) in enumerate(zip(weights, layer.get_weights(), strict=True)):
        slope = np.zeros(weight.shape)
        for place in np.ndindex(*weight.shape):
            moved = [w.astype(np.float64) for w in weights]
            moved[i][place] += 1e-4
            ahead = loss(moved)
            moved[i][place] -= 2e-4
            slope[place] = (ahead - loss(moved)) / 2e-4
        np.testing.assert_allclose(after, weight - 0.5 * slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("offset", [100.0, 1000.0])
@pytest.mark.parametrize("cls", [layers.LayerNormalization, layers.GroupNormalization])
def test_variance_of_numbers_far_from_zero_is_theirs(cls, offset):
    """A mean of squares less the square of the mean has no digit left there."""
    layer = cls() if cls is layers.LayerNormalization else cls(1)
    x = RNG.normal(offset, 1.0, size=(3, 64)).astype(np.float32)
    np.testing.assert_allclose(layer(x), standardized(x, (1,), 1e-3), atol=offset * 1e-6)


def test_norm_of_zeros_gives_zeros_and_a_finite_gradient():
    """In Keras (torch backend) this gradient is not a number."""
    layer = layers.UnitNormalization()
    op = Emitter()
    x = op.input("x", "float32", (2, 3))
    y = layer._emit(op, x, training=True)
    (gradient,) = backward(op, [(y, op.constant(np.ones((2, 3), np.float32)))], [x])
    op.output(y, "y")
    op.output(gradient, "gradient")
    y, gradient = runtime(op, {"x": np.array([[0, 0, 0], [3, 0, 4]], np.float32)})
    np.testing.assert_allclose(y, [[0, 0, 0], [0.6, 0, 0.8]], rtol=1e-6)
    assert np.isfinite(gradient).all()


def test_layer_normalization_over_the_last_axes_is_one_node(tmp_path):
    entry = keras.Input((3, 4))
    model = keras.Model(entry, layers.LayerNormalization([1, 2])(entry))
    model.export(tmp_path / "m.onnx")
    nodes = onnx.load(tmp_path / "m.onnx").graph.node
    assert [node.op_type for node in nodes] == ["LayerNormalization"]


def test_layer_normalization_is_computed_once_in_training():
    op = Emitter()
    layer = layers.LayerNormalization()
    layer._build_for((None, 4))
    x = op.input("x", "float32", ("batch", 4))
    y = layer._emit(op, x, training=True)
    backward(op, [(y, op.input("seed", "float32", ("batch", 4)))], [x])
    assert [node.op_type for node in op.graph].count("LayerNormalization") == 1


def test_sizes_that_are_not_known_are_normalized_over():
    entry = keras.Input((None, None, 4))
    group = layers.GroupNormalization(2)
    model = keras.Model(entry, group(entry))
    bare = keras.Model(entry, layers.LayerNormalization([1, 2], center=False, scale=False)(entry))
    for sizes in ((3, 5), (2, 2)):
        x = RNG.normal(size=(2, *sizes, 4)).astype(np.float32)
        expected = grouped(x, group.get_weights(), 2)
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5, atol=3e-6)
        expected = standardized(x, (1, 2), 1e-3)
        np.testing.assert_allclose(bare.predict(x, verbose=0), expected, rtol=1e-5, atol=3e-6)


def test_groups_of_minus_one_are_the_channels_once_built():
    layer = layers.GroupNormalization(-1)
    assert layer.get_config()["groups"] == -1
    layer._build_for((None, 5, 6))
    assert layer.groups == layer.get_config()["groups"] == 6


def test_rms_scaling_divides_by_the_deviation_and_warns():
    with pytest.warns(UserWarning, match="^`rms_scaling=True` of LayerNormalization is deprecated"):
        layer = layers.LayerNormalization(rms_scaling=True, epsilon=0.0)
    y = layer([[1.0, 3.0]])
    np.testing.assert_allclose(y, [[1.0, 3.0]])
    assert [weight.name for weight in layer.weights] == ["gamma"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            *(lambda: layers.LayerNormalization("last"), TypeError),
            "Expected an int or a list/tuple of ints for the argument 'axis', but received: 'last'",
        ),
        (
            *(lambda: layers.LayerNormalization([]), TypeError),
            "Expected an int or a list/tuple of ints for the argument 'axis', but received: []",
        ),
        (
            *(lambda: layers.UnitNormalization(1.5), TypeError),
            "Invalid value for `axis` argument: expected an int or a list/tuple of ints. Received: "
            "axis=1.5",
        ),
        *(
            (
                *(lambda cls=cls: cls(axis=2)(keras.Input((4,))), ValueError),
                "Axis 2 is out of bounds for input shape (None, 4). Received: axis=2",
            )
            for cls in (layers.LayerNormalization, layers.RMSNormalization)
        ),
        (
            *(lambda: layers.UnitNormalization(-3)(np.ones((1, 4))), ValueError),
            "Axis -3 is out of bounds for input shape (None, 4). Received: axis=-3",
        ),
        (
            *(lambda: layers.LayerNormalization(name="n")(keras.Input((None,))), ValueError),
            "Shapes used to initialize variables must be fully-defined (no `None` dimensions). "
            "Received: shape=(None,) for variable path='n/gamma'",
        ),
        (
            *(lambda: layers.GroupNormalization(0), ValueError),
            "Received an invalid value for argument `groups`, expected a positive integer (or `-1` "
            "for instance normalization). Received: groups=0",
        ),
        (
            *(lambda: layers.GroupNormalization(axis=[1]), ValueError),
            "Expected `axis` to be an integer. Received: axis=[1]",
        ),
        (
            *(lambda: layers.GroupNormalization(2, 0, name="g")(keras.Input((4,))), ValueError),
            "`axis` of layer 'g' must be an axis of its input other than the batch. Received: "
            "axis=0, input_shape=(None, 4)",
        ),
        (
            *(lambda: layers.GroupNormalization(2)(keras.Input((None,))), ValueError),
            "Axis -1 of input tensor should have a defined dimension but the layer received an "
            "input with shape (None, None).",
        ),
        (
            *(lambda: layers.GroupNormalization(8)(keras.Input((4,))), ValueError),
            "Number of groups (8) cannot be more than the number of channels (4).",
        ),
        (
            *(lambda: layers.GroupNormalization(3)(keras.Input((4,))), ValueError),
            "Number of groups (3) must be a multiple of the number of channels (4).",
        ),
        (
            *(lambda: layers.RMSNormalization().scale, AttributeError),
            "You must build the layer before accessing `scale`.",
        ),
    ],
)
def test_wrong_arguments_are_refused_in_the_words_of_keras(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
