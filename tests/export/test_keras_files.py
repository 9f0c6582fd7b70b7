"""Whole models in Keras's files: read with the optimizer's state, and written as Keras writes them.

The recorded files, and what real Keras 3.15.1 goes on to do with them, are in tests/support/files.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import defaults, layers
from seqonnx.errors import ModelFileError
from seqonnx.models import clone_model, from_keras, model_from_json, save_model
from seqonnx.saving import custom_object_scope, get_registered_object, register_keras_serializable

pytest.importorskip("h5py", reason="Keras's files are HDF5 files")

ROOT = Path(__file__).parents[2]
FILES = ROOT / "tests" / "support" / "files"
RECORDED = json.loads((FILES / "recorded.json").read_text("utf-8"))
X = np.ones((2, 4), np.float32)


def exchange():
    spec = importlib.util.spec_from_file_location(
        "keras_exchange", ROOT / "tools" / "checks" / "keras_exchange.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KIT = exchange()


@pytest.mark.parametrize("case", sorted(RECORDED))
def test_training_goes_on_as_in_keras(case, tmp_path):
    x, y = KIT.data(case.split("-")[0])
    model = sx.load_model(FILES / f"{case}.keras")
    wanted = RECORDED[case]
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted["outputs"], atol=1e-5)
    again = tmp_path / "again.keras"
    model.save(again)
    for each in (model, sx.load_model(again)):
        np.testing.assert_allclose(KIT.steps(each, x, y, 5), wanted["losses"], rtol=2e-5)


KEPT = json.loads((FILES / "kept.json").read_text("utf-8"))


@pytest.mark.parametrize("name", KIT.OPTIMIZERS)
def test_optimizers_keep_what_keras_writes_to_its_files(name):
    model = KIT.build(sx, "mlp")
    optimizer = KIT.optimizer(sx, name)
    optimizer.build(model.trainable_variables)
    assert [list(np.shape(each.numpy())) for each in optimizer.variables] == KEPT[name]


@pytest.mark.parametrize("name", ["nadam", "dynamic"])
def test_files_hold_the_variables_that_keras_writes(name, tmp_path):
    h5py = pytest.importorskip("h5py", reason="Keras's files are HDF5 files")
    path = tmp_path / "m.keras"
    model = KIT.trained(sx, "mlp", name)
    model.save(path)
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as weights:
        group = h5py.File(weights)["optimizer"]
        shapes = [list(group["vars"][str(i)].shape) for i in range(len(group["vars"]))]
        assert shapes == KEPT[name]
        if name == "dynamic":
            assert len(group["inner_optimizer/vars"]) == 14
            assert int(group["inner_optimizer/vars/0"][()]) == 3
    x, y = KIT.data("mlp")
    again = sx.load_model(path)
    assert KIT.steps(again, x, y, 2) == KIT.steps(model, x, y, 2)


def plain(value):
    """A configuration without what differs from run to run, or by the backend of Keras."""
    if isinstance(value, dict):
        if value.get("class_name") in {entry[0] for entry in KIT.OPTIMIZERS.values()}:
            value = {**value, "module": "keras.optimizers", "registered_name": None}
        if value.get("class_name") == "InputLayer" and "inbound_nodes" not in value:
            value = {**value, "config": {**value["config"], "name": "numbered"}}
        left = {"shared_object_id", "jit_compile"}
        return {key: plain(item) for key, item in value.items() if key not in left}
    return [plain(item) for item in value] if isinstance(value, list) else value


def written(path):
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        return names, json.loads(archive.read("config.json"))


@pytest.mark.parametrize("case", sorted(RECORDED))
def test_configuration_is_written_as_keras_writes_it(case, tmp_path):
    sx.load_model(FILES / f"{case}.keras").save(tmp_path / "m.keras")
    names, config = written(tmp_path / "m.keras")
    recorded_names, recorded = written(FILES / f"{case}.keras")
    assert names == recorded_names
    assert plain(config) == plain(recorded)


def small():
    return sx.Sequential([sx.Input((4,)), layers.Dense(3, name="d")])


@register_keras_serializable("tests")
class Scaled(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.w = self.add_weight((shape[-1], self.units))

    def call(self, inputs):
        return sx.ops.matmul(inputs, self.w)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@pytest.mark.parametrize("name", ["m.keras", "m.onnx"])
def test_registered_class_needs_not_be_passed(name, tmp_path):
    model = sx.Sequential([sx.Input((4,)), Scaled(2)])
    model.save(tmp_path / name)
    np.testing.assert_array_equal(sx.load_model(tmp_path / name)(X), model(X))
    assert get_registered_object("tests>Scaled") is Scaled


class Unregistered(layers.Layer):
    def call(self, inputs):
        return inputs


class WithOperators(layers.Layer):
    def call(self, op, x, training):
        return op.Relu(x)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Unregistered, r"register_keras_serializable.*save the model as `.onnx`"),
        (WithOperators, r"written with ONNX operators.*Save it as `.onnx`"),
    ],
)
def test_parts_that_keras_cannot_have_are_refused(layer, text, tmp_path):
    model = sx.Sequential([sx.Input((4,)), layer()])
    with pytest.raises(ValueError, match=text):
        model.save(tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()


def test_scope_makes_a_class_known(tmp_path):
    with custom_object_scope({"Unregistered": Unregistered}):
        sx.Sequential([sx.Input((4,)), Unregistered()]).save(tmp_path / "m.keras")
        assert type(sx.load_model(tmp_path / "m.keras").layers[0]) is Unregistered
    with pytest.raises(ModelFileError, match="seqonnx has no layer for Unregistered"):
        sx.load_model(tmp_path / "m.keras")


def test_lambda_is_only_run_where_the_file_is_trusted(tmp_path):
    sx.Sequential([sx.Input((4,)), layers.Lambda(lambda x: x * 2.0)]).save(tmp_path / "m.keras")
    with pytest.raises(ModelFileError, match="safe_mode=False"):
        sx.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(sx.load_model(tmp_path / "m.keras", safe_mode=False)(X), X * 2)


def test_lambdas_are_run_after_unsafe_deserialization_was_enabled(tmp_path, monkeypatch):
    """As in Keras 3.15.1, where `safe_mode=True` changes nothing then."""
    sx.Sequential([sx.Input((4,)), layers.Lambda(lambda x: x * 2.0)]).save(tmp_path / "m.keras")
    monkeypatch.setattr(defaults._defaults, "unsafe_deserialization", False)
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        (_, entry) = json.loads(archive.read("config.json"))["config"]["layers"]
    function = entry["config"]["function"]
    with pytest.raises(ValueError, match="safe_mode=False"):
        sx.saving.deserialize_keras_object(function)
    sx.config.enable_unsafe_deserialization()
    for mode in ({}, {"safe_mode": True}):
        np.testing.assert_array_equal(sx.load_model(tmp_path / "m.keras", **mode)(X), X * 2)
    assert sx.saving.deserialize_keras_object(function)(3.0) == 6.0


def test_loss_of_ones_own_is_named_and_asked_for(tmp_path):
    def distance(y_true, y_pred):
        return sx.ops.mean(sx.ops.abs(y_true - y_pred), axis=-1)

    def with_op(op, y_true, y_pred):
        return op.Abs(op.Sub(y_true, y_pred))

    path, model = tmp_path / "m.keras", small()
    model.compile("sgd", distance)
    model.save(path)
    assert sx.load_model(path, {"distance": distance}).compiled
    assert not sx.load_model(path, compile=False).compiled
    with pytest.raises(ModelFileError, match=r"function 'distance'.*compile=False"):
        sx.load_model(path)
    model.compile("sgd", with_op)
    with pytest.raises(ValueError, match="include_optimizer=False"):
        model.save(path)
    model.save(path, include_optimizer=False)
    assert not sx.load_model(path).compiled


@pytest.mark.parametrize("answer", ["n", "y"])
def test_overwriting_is_asked_for(answer, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("builtins.input", lambda text: asked.append(text) or answer)
    path = tmp_path / "m.keras"
    path.write_text("mine")
    save_model(small(), path, overwrite=False)
    assert (len(asked), path.read_bytes()[:2] == b"PK") == (1, answer == "y")


def test_nobody_to_ask_is_an_error(tmp_path, monkeypatch):
    def nobody(text):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    path = tmp_path / "w.npz"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        small().save_weights(path, overwrite=False)


def test_other_formats_are_told_what_to_do(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"SavedModel of TensorFlow's.*tf2onnx"):
        sx.load_model(tmp_path)
    (tmp_path / "w.npz").write_bytes(b"PK")
    with pytest.raises(ModelFileError, match="weights alone"):
        sx.load_model(tmp_path / "w.npz")
    with pytest.raises(ValueError, match=r"Invalid filepath extension for saving.*\.keras"):
        small().save(tmp_path / "m.txt")


def test_legacy_file_goes_on(tmp_path):
    model = small()
    model.compile("adam", "mse", metrics=["mae"])
    KIT.steps(model, X, np.ones((2, 3), np.float32), 3)
    with pytest.warns(UserWarning, match="legacy format"):
        model.save(tmp_path / "m.h5")
    again = sx.load_model(tmp_path / "m.h5")
    y = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(KIT.steps(again, X, y, 3), KIT.steps(model, X, y, 3), rtol=1e-6)


def test_json_makes_the_same_architecture():
    model = small()
    model.compile("sgd", {"d": "mse"}, loss_weights=[2.0])
    again = model_from_json(model.to_json(indent=1))
    assert again.get_config() == model.get_config()
    assert again.get_compile_config()["loss"] == {"d": "mse"}
    assert again.get_compile_config()["loss_weights"] == [2.0]


def test_clone_has_weights_of_its_own():
    x = sx.Input((4,))
    shared = layers.Dense(4)
    model = sx.Model(x, shared(shared(x)) * 2.0 + x[:, :1])
    model.compile("adam", "mse")
    copy = clone_model(model)
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy(X), model(X))
    assert copy.compiled
    assert copy.optimizer is not model.optimizer
    assert not set(copy.weights) & set(model.weights)
    same = clone_model(model, clone_function=lambda layer: layer)
    assert same.weights == model.weights
    with pytest.raises(ValueError, match="`call_function` argument is not supported"):
        clone_model(small(), call_function=lambda layer, x: layer(x))


def test_safetensors_hold_the_weights(tmp_path):
    pytest.importorskip("safetensors", reason="an extra")
    model, other = small(), sx.Sequential([sx.Input((4,)), layers.Dense(3, name="e")])
    model.save_weights(tmp_path / "w.safetensors")
    other.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(other(X), model(X))
    (tmp_path / "w.safetensors").write_bytes(b"12345678{")
    with pytest.raises(ModelFileError, match=r"not a whole `\.safetensors` file"):
        other.load_weights(tmp_path / "w.safetensors")


def test_live_model_is_taken_through_its_own_file():
    saved = FILES / "convnet-adamw.keras"

    class Live:
        def save(self, path):
            shutil.copy(saved, path)

    live = type("Model", (Live,), {"__module__": "keras.src.models.model"})()
    x, _ = KIT.data("convnet")
    model = from_keras(live)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), RECORDED["convnet-adamw"]["outputs"], atol=1e-5
    )
    assert int(model.optimizer.iterations) == 3
    with pytest.raises(TypeError, match="expects a model of Keras 3"):
        from_keras(object())


def test_archives_are_zipped_and_whole(tmp_path):
    model = sx.Sequential([sx.Input((2,)), layers.Dense(1)])
    with pytest.raises((TypeError, ValueError), match="zipped"):
        model.save(tmp_path / "m.keras", zipped=False)
    with pytest.raises((TypeError, ValueError), match="max_shard_size"):
        model.save_weights(tmp_path / "m.weights.h5", max_shard_size=1.0)
