"""A file of a model of functions that real Keras wrote (`write_function_samples.py`)."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import seqonnx as sx

h5py = pytest.importorskip("h5py")

SAMPLES = Path(__file__).with_name("samples")


@pytest.fixture(scope="module")
def recorded():
    with np.load(SAMPLES / "functions.npz") as arrays:
        return dict(arrays)


def test_functions_of_a_file_of_keras_give_what_keras_gave(recorded, tmp_path):
    loaded = sx.load_model(SAMPLES / "functions.keras")
    loaded.save(tmp_path / "again.onnx")
    for model in (loaded, sx.load_model(tmp_path / "again.onnx")):
        found = model([recorded["a"], recorded["b"]])
        assert len(found) == len(recorded) - 2
        for i, y in enumerate(found):
            np.testing.assert_allclose(y, recorded[f"y{i}"], rtol=2e-5, atol=2e-6, err_msg=str(i))
            assert y.dtype == recorded[f"y{i}"].dtype, i


def rewritten(folder, change):
    """The sample with another configuration."""
    path = folder / "changed.keras"
    with zipfile.ZipFile(SAMPLES / "functions.keras") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                for entry in config["config"]["layers"]:
                    change(entry)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return path


def test_function_that_is_not_here_is_named(tmp_path):
    def change(entry):
        if entry["class_name"] == "Gelu":
            entry["class_name"] = "SVD"

    with pytest.raises(sx.errors.ModelFileError, match=r"seqonnx has no layer for SVD .*gelu"):
        sx.load_model(rewritten(tmp_path, change))


def test_argument_that_a_function_does_not_have_is_named(tmp_path):
    def change(entry):
        if entry["class_name"] == "Gelu":
            entry["config"]["sharpness"] = 3

    with pytest.raises(sx.errors.ModelFileError, match=r"'gelu' has the arguments sharpness"):
        sx.load_model(rewritten(tmp_path, change))
