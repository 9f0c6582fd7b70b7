"""Layers of Keras 3.15.1, made here from its configuration, give what they gave there.

`tests/support/layers/write_recorded_*.py` recorded configurations, weights, inputs and outputs
(torch backend).
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import support.layers
from seqonnx import layers
from seqonnx.importers.keras.config import Catalogue, translate
from seqonnx.layers.serialization import KNOWN

FOLDER = Path(support.layers.__path__[0])
FILES = ("recorded_layers", "recorded_windows")
RECORDED = {
    name: entry
    for file in FILES
    for name, entry in json.loads((FOLDER / f"{file}.json").read_text()).items()
}
every_layer = pytest.mark.parametrize("name", RECORDED)


@pytest.fixture(scope="module")
def arrays():
    every = {}
    for file in FILES:
        with np.load(FOLDER / f"{file}.npz") as stored:
            every |= dict(stored)
    return every


def made(name: str) -> layers.Layer:
    """The layer, made as a file of Keras's is loaded."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`rms_scaling=True` of LayerNormalization")
        return layers.deserialize(translate(RECORDED[name]["layer"], Catalogue(KNOWN, {})))


@every_layer
def test_outputs_are_those_of_keras(name, arrays):
    layer = made(name)
    x, y = arrays[f"{name}/x"], arrays[f"{name}/y"]
    layer._build_for((None, *x.shape[1:]))
    assert [weight.name for weight in layer.weights] == RECORDED[name]["weights"]
    values = [arrays[f"{name}/{weight.name}"] for weight in layer.weights]
    assert [weight.shape for weight in layer.weights] == [value.shape for value in values]
    layer.set_weights(values)
    # Keras adds up mel bands with weights that it computed in float32.
    atol = 3e-5 if name.startswith("mel") else 2e-6
    np.testing.assert_allclose(layer(x), y, rtol=1e-5, atol=atol)


@every_layer
def test_configuration_holds_what_keras_wrote(name):
    """But for the wrapping of objects, which `translate` takes off."""
    wanted = translate(RECORDED[name]["layer"], Catalogue(KNOWN, {}))["config"]
    config = json.loads(json.dumps(made(name).get_config()))
    parts = {key for key, value in wanted.items() if isinstance(value, dict)}
    assert {key: config[key] for key in wanted.keys() - parts} == {
        key: value for key, value in wanted.items() if key not in parts
    }
    assert {config[key]["class_name"] for key in parts} == {
        wanted[key]["class_name"] for key in parts
    }
