"""Configurations of Keras 3.15.1, as returned by `get_config`, make the same layers here.

`keras_configs.json` holds what `keras.layers.serialize` of Keras 3.15.1 wrote, one layer a line.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seqonnx import layers
from seqonnx.errors import ModelFileError
from seqonnx.importers.keras.config import Catalogue, translate
from seqonnx.layers.serialization import KNOWN, deserialize

ENTRIES = json.loads(Path(__file__).with_name("keras_configs.json").read_text("utf-8"))
every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["class_name"])


def plain(value):
    """A value of a configuration without how Keras wraps it."""
    if isinstance(value, dict) and "class_name" in value:
        if value["class_name"] == "DTypePolicy":
            return value["config"]["name"]
        config = {
            key: item
            for key, item in value["config"].items()
            if key not in {"input_axes", "output_axes"}
        }
        return {"class_name": value["class_name"], "config": config}
    return value


@every_entry
def test_class_takes_the_configuration(entry):
    layer = getattr(layers, entry["class_name"]).from_config(entry["config"])
    config = layer.get_config()
    for key, value in entry["config"].items():
        if key in config:
            assert config[key] == plain(value), key
        else:
            assert value is None, key
    assert set(config) <= set(entry["config"])


@every_entry
def test_file_with_the_layer_is_read(entry):
    read = deserialize(translate(entry, Catalogue(KNOWN, {})))
    made = getattr(layers, entry["class_name"]).from_config(entry["config"])
    assert read.get_config() == made.get_config()


def test_argument_that_has_no_counterpart_is_refused():
    (embedding,) = (entry for entry in ENTRIES if entry["class_name"] == "Embedding")
    with pytest.raises(ModelFileError, match=r"'a' \(Embedding\) has rows_of=4, which seqonnx's"):
        layers.Embedding.from_config(embedding["config"] | {"rows_of": 4})


def test_layers_that_were_there_before_take_it_too():
    """As Keras 3.15.1 writes a Dense under a mixed policy."""
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    config = {"name": "d", "dtype": policy, "units": 2, "quantization_config": None}
    layer = layers.Dense.from_config(config)
    assert (layer.dtype_policy, layer.units) == ("mixed_float16", 2)
