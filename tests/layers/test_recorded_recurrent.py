"""Recurrent layers of Keras 3.15.1, made here from its configuration, do what they did there.

`tests/support/layers/write_recorded_recurrent.py` recorded configurations, weights, arguments,
results, and ten steps of training (torch backend).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import seqonnx as keras
import support.layers
from seqonnx import layers
from seqonnx.importers.keras.config import Catalogue, translate
from seqonnx.layers.serialization import KNOWN
from seqonnx.structures import take_out

FOLDER = Path(support.layers.__path__[0])
RECORDED = json.loads((FOLDER / "recorded_recurrent.json").read_text())
TRAINED_ALWAYS = {"gru_before_mask", "bidirectional_mask", "conv2d"}
every_layer = pytest.mark.parametrize("name", RECORDED)


@pytest.fixture(scope="module")
def arrays():
    with np.load(FOLDER / "recorded_recurrent.npz") as stored:
        return dict(stored)


def made(name, arrays):
    """The layer with its weights, and the further arguments of its call."""
    layer = layers.deserialize(translate(RECORDED[name]["layer"], Catalogue(KNOWN, {})))
    layer._build_for((None, *arrays[f"{name}/x"].shape[1:]))
    found = numbered(name, "weight", arrays)
    assert [weight.shape for weight in layer.weights] == [value.shape for value in found]
    layer.set_weights(found)
    more = {}
    if f"{name}/mask" in arrays:
        more["mask"] = arrays[f"{name}/mask"]
    states = numbered(name, "state", arrays)
    if states:
        more["initial_state"] = states
    return layer, more


def numbered(name, what, arrays):
    found = []
    while f"{name}/{what}{len(found)}" in arrays:
        found.append(arrays[f"{name}/{what}{len(found)}"])
    return found


def flat(structure):
    found = []
    take_out(structure, lambda part: isinstance(part, np.ndarray), found)
    return found


@every_layer
def test_results_are_those_of_keras(name, arrays):
    layer, more = made(name, arrays)
    paths = [weight.path.partition("/")[2] for weight in layer.weights]
    assert paths == RECORDED[name]["weights"]
    found = flat(layer(arrays[f"{name}/x"], **more))
    wanted = numbered(name, "y", arrays)
    assert [y.shape for y in found] == [y.shape for y in wanted]
    for y, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@every_layer
def test_configuration_holds_what_keras_wrote(name):
    wanted = translate(RECORDED[name]["layer"], Catalogue(KNOWN, {}))
    layer = layers.deserialize(wanted)
    again = json.loads(json.dumps(layers.serialize(layer)))
    assert_holds(again, wanted)
    assert layers.deserialize(again).get_config() == layer.get_config()


def assert_holds(config, wanted):
    """Every entry of Keras's is in ours; an initializer may have a shorter name."""
    if isinstance(wanted, dict) and "class_name" in wanted:
        assert config["class_name"] == wanted["class_name"]
        for key, value in wanted["config"].items():
            assert_holds(config["config"].get(key), value)
    elif isinstance(wanted, list) and any(isinstance(part, dict) for part in wanted):
        for part, value in zip(config, wanted, strict=True):
            assert_holds(part, value)
    else:
        assert config == wanted


@pytest.mark.parametrize(
    "name",
    [n if n in TRAINED_ALWAYS else pytest.param(n, marks=pytest.mark.slow) for n in RECORDED],
)
@pytest.mark.filterwarnings("ignore:Layer 'flatten.*does not support masking:UserWarning")
def test_ten_steps_of_training_are_those_of_keras(name, arrays):
    layer, more = made(name, arrays)
    x = arrays[f"{name}/x"]
    inputs, data, named = [keras.Input(x.shape[1:])], [x], {}
    if "mask" in more:
        named["mask"] = keras.Input(x.shape[1:2], dtype="bool")
        inputs.append(named["mask"])
        data.append(more["mask"])
    if "initial_state" in more:
        named["initial_state"] = [keras.Input(s.shape[1:]) for s in more["initial_state"]]
        inputs += named["initial_state"]
        data += more["initial_state"]
    y = layer(inputs[0], **named)
    y = y[0] if isinstance(y, list) else y
    model = keras.Model(inputs, layers.Flatten()(y))
    model.compile(keras.optimizers.SGD(0.05), "mse")
    losses = [model.train_on_batch(data, arrays[f"{name}/target"]) for _ in range(10)]
    np.testing.assert_allclose(np.ravel(losses), RECORDED[name]["losses"], rtol=2e-5)
    trained = numbered(name, "trained", arrays)
    for weight, expected in zip(layer.get_weights(), trained, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-5)
