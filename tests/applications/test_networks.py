"""The networks are Keras's: names, order, weights and what they compute (see `recorded.py`)."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import applications, layers
from support.applications.recorded import (
    FEATURES,
    LAYERS,
    NETWORKS,
    images,
    shape_of,
    thinned,
    weights,
)

every_network = pytest.mark.parametrize("network", NETWORKS)


def make(network: str) -> sx.Model:
    arguments, _ = NETWORKS[network]
    function = getattr(applications, network)
    model: sx.Model = function(weights=None, input_shape=shape_of(network), **arguments)
    return model


@every_network
def test_layers_and_weights_are_those_of_keras(network):
    recorded = json.loads(LAYERS.read_text("utf-8"))[network]
    model = make(network)
    assert [
        [layer.name, type(layer).__name__, [list(v.shape) for v in layer.weights]]
        for layer in model.layers
    ] == recorded
    in_order = [shape for _, _, shapes in recorded for shape in shapes]
    assert [list(v.shape) for v in model.weights] == in_order


@pytest.mark.parametrize("network", [name for name, (_, inner) in NETWORKS.items() if inner])
def test_features_are_those_of_keras(network):
    model = make(network)
    model.set_weights(weights(model.weights))
    inner = NETWORKS[network][1]
    outputs = [*(model.get_layer(name).output for name in inner), model.output]
    found = sx.Model(model.input, outputs).predict(images(network), verbose=0)
    with np.load(FEATURES) as recorded:
        for name, feature in zip([*inner, "output"], found, strict=True):
            expected = recorded[f"{network}/{name}"]
            assert np.abs(expected[0] - expected[1]).max() > 0.002 * np.abs(expected).max()
            np.testing.assert_allclose(
                thinned(feature), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
            )


@pytest.mark.parametrize(
    ("network", "count"),
    [("Xception", 22_910_480), ("ResNet50", 25_636_712), ("MobileNetV2", 3_538_984)],
)
def test_full_network_has_keras_number_of_parameters(network, count):
    model = getattr(applications, network)(weights=None)
    assert model.count_params() == count
    assert model.output_shape == (None, 1000)


def test_frozen_xception_with_a_new_head_counts_as_in_the_guide():
    base = applications.Xception(weights=None, include_top=False, pooling="avg")
    assert len(base.layers) == 133
    assert (len(base.weights), len(base.trainable_weights)) == (234, 154)
    assert base.count_params() == 20_861_480
    base.trainable = False
    model = sx.Sequential([base, layers.Dense(1000)])
    assert model.count_params() == 22_910_480
    assert sum(math.prod(v.shape) for v in model.trainable_weights) == 2_049_000
    assert sum(math.prod(v.shape) for v in model.non_trainable_weights) == 20_861_480


def test_head_on_a_frozen_base_learns_and_leaves_the_base_alone():
    base = applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    base.set_weights(weights(base.weights))
    base.trainable = False
    model = sx.Sequential([base, layers.Dense(2, "softmax")])
    before = base.get_weights()
    rng = np.random.default_rng(0)
    y = np.arange(8) % 2
    x = (rng.normal(size=(8, 32, 32, 3)) * (1 + 2 * y[:, None, None, None])).astype("float32")
    model.compile(sx.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    losses = model.fit(x, y, epochs=5, batch_size=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for weight, old in zip(base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_network_continues_a_tensor():
    entry = sx.Input((32, 32, 1))
    x = layers.Conv2D(3, 1)(entry)
    model = applications.VGG16(
        include_top=False, weights=None, input_tensor=x, pooling="avg", name="v"
    )
    assert model.inputs[0] is entry
    assert model.layers[1].name == "conv2d"
    assert (model.name, model.output_shape) == ("v", (None, 512))


@pytest.mark.parametrize(
    ("alpha", "name"), [(1.0, "mobilenetv2_1.00_64"), (0.35, "mobilenetv2_0.35_64")]
)
def test_mobilenet_is_named_after_alpha_and_size(alpha, name):
    model = applications.MobileNetV2((64, 64, 3), alpha, include_top=False, weights=None)
    assert model.name == name
    assert model.output_shape == (None, 2, 2, 1280)


def test_network_of_any_size_takes_images_of_any_size():
    model = applications.MobileNetV2(alpha=0.35, include_top=False, weights=None)
    assert model.input_shape == (None, None, None, 3)
    for size in (32, 48):
        assert model.predict(np.zeros((1, size, size, 3)), verbose=0).shape[0] == 1
