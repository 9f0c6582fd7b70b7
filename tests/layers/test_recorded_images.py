"""Layers on images give what Keras 3.15.1 gave for the same drawn numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from seqonnx import layers
from seqonnx.importers.keras.config import Catalogue, translate
from seqonnx.layers.serialization import KNOWN, deserialize
from support.layers.augmenting import augment

FOLDER = Path(__file__).parents[1] / "support" / "layers"
ENTRIES = json.loads((FOLDER / "recorded_images.json").read_text("utf-8"))
ARRAYS = dict(np.load(FOLDER / "recorded_images.npz"))


def named(number: int) -> str:
    entry = ENTRIES[number]
    values = [f"{name}={value}" for name, value in entry["arguments"].items()]
    return "-".join([entry["class_name"], *values])


every_case = pytest.mark.parametrize("number", range(len(ENTRIES)), ids=named)
with_values = pytest.mark.parametrize(
    "number", [n for n, entry in enumerate(ENTRIES) if "draws" in entry], ids=named
)


@with_values
def test_result_is_that_of_keras_for_the_same_numbers(number):
    entry = ENTRIES[number]
    layer = getattr(layers, entry["class_name"])(**entry["arguments"])
    images = ARRAYS["images"]
    if layer.data_format == "channels_first":
        images = images.transpose(0, 3, 1, 2)
    uniforms = [ARRAYS[f"{number}.{i}"] for i in range(entry["draws"])]
    result = augment(layer, images.copy(), uniforms)
    np.testing.assert_allclose(result, ARRAYS[f"{number}.result"], rtol=1e-4, atol=0.02)


@every_case
def test_configuration_of_keras_makes_the_same_layer(number):
    entry = ENTRIES[number]
    layer = getattr(layers, entry["class_name"]).from_config(entry["config"])
    config = layer.get_config()
    assert set(config) == set(entry["config"])
    for key in set(config) - {"dtype", "seed"}:
        assert config[key] == entry["config"][key], key


@every_case
def test_file_of_keras_with_the_layer_is_read(number):
    entry = ENTRIES[number]
    read = deserialize(translate(entry, Catalogue(KNOWN, {})))
    made = getattr(layers, entry["class_name"]).from_config(entry["config"])
    assert read.get_config() == made.get_config()


POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}
PIPELINE = {
    "layers": [
        {
            "module": "keras.layers",
            "class_name": "RandomFlip",
            "config": {
                "name": "f",
                "trainable": True,
                "dtype": POLICY,
                "data_format": "channels_last",
                "seed": None,
                "mode": "vertical",
            },
            "registered_name": None,
        },
        {
            "module": "keras.layers",
            "class_name": "Rescaling",
            "config": {
                "name": "r",
                "trainable": True,
                "dtype": POLICY,
                "scale": 2.0,
                "offset": 0.0,
            },
            "registered_name": None,
        },
    ],
    "name": "p",
}
"""As `keras.layers.Pipeline.get_config` of Keras 3.15.1 returns it."""


def test_pipeline_of_keras_makes_the_same_layers():
    entry = {"module": "keras.layers", "class_name": "Pipeline", "config": PIPELINE}
    for made in (
        layers.Pipeline.from_config(PIPELINE),
        deserialize(translate(entry, Catalogue(KNOWN, {}))),
    ):
        flip, rescaling = made.layers
        assert (made.name, flip.name, flip.mode) == ("p", "f", "vertical")
        assert (rescaling.name, rescaling.scale) == ("r", 2.0)
        again = layers.Pipeline.from_config(made.get_config())
        assert again.get_config() == made.get_config()
        assert set(made.get_config()) == set(PIPELINE)
