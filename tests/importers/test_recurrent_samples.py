"""Files of a recurrent model that real Keras wrote (`write_recurrent_samples.py`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import seqonnx as sx

h5py = pytest.importorskip("h5py")

SAMPLES = Path(__file__).with_name("samples")


@pytest.fixture(scope="module")
def recorded():
    with np.load(SAMPLES / "recurrent.npz") as arrays:
        return dict(arrays)


def assert_predicts(model, recorded):
    y = model.predict([recorded["x"], recorded["images"]], verbose=0)
    np.testing.assert_allclose(y, recorded["y"], rtol=1e-4, atol=1e-5)


def test_loaded_model_predicts_as_keras_did(recorded):
    assert_predicts(sx.load_model(SAMPLES / "recurrent.keras"), recorded)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_weights_of_every_format_are_the_same(suffix, recorded):
    model = sx.load_model(SAMPLES / "recurrent.keras")
    model.set_weights([weight + 0.25 for weight in model.get_weights()])
    model.load_weights(SAMPLES / f"recurrent{suffix}")
    assert_predicts(model, recorded)


def test_written_weights_lie_where_keras_puts_them(tmp_path):
    model = sx.load_model(SAMPLES / "recurrent.keras")
    model.save_weights(tmp_path / "m.weights.h5")

    def content(path):
        found = {}
        with h5py.File(path) as file:
            file["layers"].visititems(
                lambda name, item: found.update({name: item[()]} if hasattr(item, "shape") else {})
            )
        return found

    ours = content(tmp_path / "m.weights.h5")
    theirs = content(SAMPLES / "recurrent.weights.h5")
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
