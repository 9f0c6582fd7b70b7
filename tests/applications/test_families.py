"""Networks of all families are those of Keras, recorded by `families.py`."""

from __future__ import annotations

import inspect
import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import seqonnx as sx
from seqonnx import applications
from support.applications.families import (
    FAMILIES,
    RECORDS,
    VARIANTS,
    family_of,
    logits,
    shape_of,
    summary_of,
)

RECORDED = json.loads(RECORDS.read_text("utf-8"))

# These take long, for their hundreds of layers or their size.
_DEEP = {
    *("ConvNeXtTiny", "DenseNet121", "EfficientNetV2B0", "InceptionResNetV2", "InceptionV3"),
    "NASNetMobile",
}
SMALLEST = [members[0] for members in FAMILIES.values() if members[0] not in _DEEP]
NETWORKS = [name for members in FAMILIES.values() for name in members]
REST = [name for name in NETWORKS if name not in SMALLEST]
# Those that test_networks.py compares in more places.
COMPARED_ELSEWHERE = {"ResNet50", "VGG16", "VGG19", "Xception", "MobileNetV2"}


def check(found: dict, recorded: dict) -> None:
    """Compare with the record; of differing layers, `families.described` shows more."""
    assert found == recorded


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(name, marks=[] if name in SMALLEST else pytest.mark.slow)
        for name in NETWORKS
        if name not in COMPARED_ELSEWHERE or name not in SMALLEST
    ]
    + [pytest.param(n, marks=pytest.mark.slow) for n in SMALLEST if n in COMPARED_ELSEWHERE],
)
def test_layers_weights_and_outputs_are_those_of_keras(network):
    make = getattr(applications, network)
    model = make(weights=None, input_shape=shape_of(network), classifier_activation=None)
    check(summary_of(model), RECORDED[network]["small"])
    expected = np.array(RECORDED[network]["logits"])
    size = np.abs(expected).max()
    # A test that could fail: the images make a difference at the end of the network.
    assert np.abs(expected[0] - expected[1]).max() > 0.002 * size
    np.testing.assert_allclose(logits(network, model), expected, rtol=1e-4, atol=1e-4 * size)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_default_is_that_of_keras(network):
    model = getattr(applications, network)(weights=None)
    check(summary_of(model), RECORDED[network]["default"])


@pytest.mark.parametrize(
    ("network", "index"),
    [
        pytest.param(name, i, marks=[] if name == "MobileNetV3Small" else pytest.mark.slow)
        for name, variants in VARIANTS.items()
        for i in range(len(variants))
    ],
)
def test_arguments_change_what_they_change_in_keras(network, index):
    model = getattr(applications, network)(weights=None, **VARIANTS[network][index])
    check(summary_of(model), RECORDED[network][str(index)])


def test_every_network_is_in_the_module_of_its_family():
    for name in NETWORKS:
        module = getattr(applications, family_of(name))
        assert getattr(module, name) is getattr(applications, name)
        assert name in getattr(applications, name).__doc__
        assert list(inspect.signature(module.decode_predictions).parameters)[:2] == ["preds", "top"]
        assert list(inspect.signature(module.preprocess_input).parameters) == ["x", "data_format"]
    assert applications.resnet50.ResNet50 is applications.resnet.ResNet50


# As members of every family are trained: the smallest, in a size that is legal.
def tiny(network: str) -> sx.Model:
    side = {"inception": 75, "xception": 71}.get(family_of(network).split("_")[0], 32)
    narrow = {"alpha": 0.25} if network == "MobileNet" else {}
    make = getattr(applications, network)
    return make(weights=None, input_shape=(side, side, 3), classes=2, **narrow)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(
            members[0],
            marks=[] if members[0] == "MobileNet" else pytest.mark.slow,
        )
        for members in FAMILIES.values()
    ],
)
def test_network_trains_and_is_exported(network, tmp_path):
    model = tiny(network)
    kernels = [v for v in model.trainable_variables if v.name.endswith("kernel")]
    before = [kernel.numpy() for kernel in kernels]
    x = np.random.default_rng(0).uniform(-1, 1, (2, *model.input_shape[1:])).astype("float32")
    model.compile(sx.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    assert np.isfinite(model.fit(x, np.array([0, 1]), epochs=1, verbose=0).history["loss"][0])
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    # The gradient reaches both ends; inside of ConvNeXt it is too small to be seen in float32.
    for place in (0, -1):
        assert np.abs(kernels[place].numpy() - before[place]).max() > 0.0
    path = tmp_path / "network.onnx"
    model.export(path)
    onnx.checker.check_model(path)
    expected = model.predict(x, verbose=0)
    session = ort.InferenceSession(path)
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(n, marks=[] if n == "MobileNetV3Small" else pytest.mark.slow)
        for n in ("MobileNetV3Small", "ConvNeXtTiny", "InceptionResNetV2", "EfficientNetB0")
    ],
)
def test_network_is_saved_and_loaded_without_its_function(network, tmp_path):
    model = tiny(network)
    model.save(tmp_path / "network.onnx")
    twin = sx.load_model(tmp_path / "network.onnx")
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    x = np.ones((1, *model.input_shape[1:]), np.float32)
    np.testing.assert_allclose(twin.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5)
