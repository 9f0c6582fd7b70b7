"""Files that real Keras wrote (`write_samples.py`) give the model and the predictions they had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import seqonnx as sx
from seqonnx.errors import ModelFileError

h5py = pytest.importorskip("h5py")

SAMPLES = Path(__file__).with_name("samples")

both = pytest.mark.parametrize("name", ["sample", "chain"])


@pytest.fixture(scope="module")
def predictions():
    with np.load(SAMPLES / "predictions.npz") as arrays:
        return dict(arrays)


def scrambled(name: str) -> sx.Model:
    """The model of a sample, with other weights than the file has."""
    model = sx.load_model(SAMPLES / f"{name}.keras")
    model.set_weights([weight + 0.25 for weight in model.get_weights()])
    return model


@both
def test_loaded_model_predicts_as_keras_did(name, predictions):
    model = sx.load_model(SAMPLES / f"{name}.keras")
    y = model.predict(predictions[f"{name}_x"], verbose=0)
    np.testing.assert_allclose(y, predictions[f"{name}_y"], rtol=1e-4, atol=1e-5)


@both
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_weights_of_every_format_are_the_same(name, suffix, predictions):
    model = scrambled(name)
    before = model.predict(predictions[f"{name}_x"], verbose=0)
    assert not np.allclose(before, predictions[f"{name}_y"], rtol=1e-4, atol=1e-5)
    model.load_weights(SAMPLES / f"{name}{suffix}")
    y = model.predict(predictions[f"{name}_x"], verbose=0)
    np.testing.assert_allclose(y, predictions[f"{name}_y"], rtol=1e-4, atol=1e-5)


@both
def test_legacy_file_is_read_by_name(name, predictions):
    model = scrambled(name)
    model.load_weights(SAMPLES / f"{name}.h5", by_name=True)
    y = model.predict(predictions[f"{name}_x"], verbose=0)
    np.testing.assert_allclose(y, predictions[f"{name}_y"], rtol=1e-4, atol=1e-5)


@both
def test_written_weights_lie_where_keras_puts_them(name, tmp_path):
    path = tmp_path / "own.weights.h5"
    sx.load_model(SAMPLES / f"{name}.keras").save_weights(path)
    with h5py.File(path) as own, h5py.File(SAMPLES / f"{name}.weights.h5") as keras:
        assert datasets(own) == {p: v for p, v in datasets(keras).items() if "optimizer" not in p}
        assert {p: own[p].attrs["name"] for p in groups(own)} == {
            p: keras[p].attrs["name"] for p in groups(own)
        }


@both
def test_written_weights_are_the_same_bytes_every_time(name, tmp_path):
    model = sx.load_model(SAMPLES / f"{name}.keras")
    for path in ("a.weights.h5", "b.weights.h5"):
        model.save_weights(tmp_path / path)
    assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()


def test_loaded_model_is_the_one_that_was_saved():
    model = sx.load_model(SAMPLES / "sample.keras")
    assert model.name == "sample"
    assert model.get_layer("scores").get_config()["activation"] == "softmax"
    assert model.get_layer("inner").layers[0].depth_multiplier == 2
    normalization = model.get_layer("batch_normalization")
    assert (normalization.momentum, normalization.epsilon) == (0.9, 1e-4)
    assert [weight.path for weight, _ in model._regularized_weights] == ["dense/kernel"]


def test_loaded_model_trains_and_exports(tmp_path, predictions):
    model = sx.load_model(SAMPLES / "sample.keras")
    model.compile(sx.optimizers.SGD(0.05), "categorical_crossentropy")
    x, y = predictions["sample_x"], np.eye(3, dtype="float32")[[0, 1, 2, 0]]
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.export(tmp_path / "m.onnx")


def test_damaged_files_are_refused_and_change_nothing(tmp_path):
    model = scrambled("chain")
    before = model.get_weights()
    for suffix in (".keras", ".weights.h5", ".h5"):
        whole = (SAMPLES / f"chain{suffix}").read_bytes()
        path = tmp_path / f"chain{suffix}"
        for damaged in (b"", b"nonsense" * 99, whole[: len(whole) // 2]):
            path.write_bytes(damaged)
            with pytest.raises(ModelFileError, match="chain"):
                model.load_weights(path)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def datasets(file) -> dict[str, list]:
    found = {}
    file.visititems(
        lambda path, item: (
            found.update({path: item[()].tolist()}) if isinstance(item, h5py.Dataset) else None
        )
    )
    return found


def groups(file) -> list[str]:
    found = []
    file.visititems(lambda path, item: found.append(path) if path.endswith("vars") else None)
    return found


def test_plain_layers_predict_as_keras_did(tmp_path):
    """Cropping, permuting, repeating, noise and normalization, also saved again and trained."""
    model = sx.load_model(SAMPLES / "plain.keras")
    with np.load(SAMPLES / "plain.npz") as arrays:
        x, y = arrays["x"], arrays["y"]
    np.testing.assert_allclose(model.predict(x, verbose=0), y, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "again.onnx")
    again = sx.load_model(tmp_path / "again.onnx")
    np.testing.assert_allclose(again.predict(x, verbose=0), y, rtol=1e-5, atol=1e-6)
    model.compile(sx.optimizers.SGD(0.01), "mse")
    before = model.get_weights()
    assert np.isfinite(model.fit(x, y, batch_size=2, verbose=0).history["loss"]).all()
    moved = {
        weight.path: np.abs(new - old).max() > 0
        for weight, new, old in zip(model.weights, model.get_weights(), before, strict=True)
    }
    # What beta adds to a channel, the layer normalization of each channel takes off again.
    assert [path for path, did in moved.items() if not did] == ["group_normalization/beta"]
