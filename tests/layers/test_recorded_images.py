"""Layers on images give what Keras 3.15.1 gave for the same drawn numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from seqonnx import layers
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
