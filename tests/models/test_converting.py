"""`seqonnx convert` writes other versions, precisions and batches, and says what that changed."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.cli import main

X = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> keras.Sequential:
    keras.clear_session()
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def outputs_of(path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def versions_of(path) -> tuple[int, int]:
    proto = onnx.load(path, load_external_data=False)
    return proto.opset_import[0].version, proto.ir_version


@pytest.mark.filterwarnings("ignore:HDF5 files of whole models")
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_files_of_keras(ending, model, tmp_path, capsys):
    pytest.importorskip("h5py", reason="files of Keras need h5py")
    model.save(tmp_path / f"m{ending}")
    assert main(["convert", str(tmp_path / f"m{ending}"), str(tmp_path / "m.onnx")]) == 0
    assert versions_of(tmp_path / "m.onnx") == (18, 8)
    np.testing.assert_allclose(
        outputs_of(tmp_path / "m.onnx", X), model.predict(X, verbose=0), atol=1e-6
    )
    printed = capsys.readouterr().out
    assert "m.onnx: operator set 18, IR version 8\n" in printed
    assert f"largest difference from {tmp_path / f'm{ending}'}: " in printed


def test_a_file_with_an_unknown_layer_names_it(model, tmp_path, capsys):
    pytest.importorskip("h5py", reason="files of Keras need h5py")
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"][3].update(class_name="Unheard", module="elsewhere")
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "u.keras", "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    assert main(["convert", str(tmp_path / "u.keras"), str(tmp_path / "u.onnx")]) == 2
    assert "Unheard" in capsys.readouterr().err
    assert not (tmp_path / "u.onnx").exists()


OLD = """<ir_version: 6, opset_import: ["": 10]>
    old (float[N, 4] x) => (float[N, 4] y) <float[4] w = {1, -2, 3, -4}> {
        a = Mul(x, w)
        b = Clip <min=-0.5, max=2.0> (a)
        y = Softmax <axis=1> (b)
    }"""


@pytest.mark.parametrize("opset", [13, 18, 23])
def test_old_files_of_others_to_any_set(opset, tmp_path, capsys):
    onnx.save(onnx.parser.parse_model(OLD), tmp_path / "old.onnx")
    arguments = ["convert", str(tmp_path / "old.onnx"), str(tmp_path / "new.onnx")]
    assert main([*arguments, "--opset", str(opset)]) == 0
    assert versions_of(tmp_path / "new.onnx")[0] == opset
    x = np.array([[1, 2, 3, 4], [-1, 0, 1, 2]], np.float32)
    clipped = np.clip(x * [1, -2, 3, -4], -0.5, 2)
    wanted = np.exp(clipped) / np.exp(clipped).sum(1, keepdims=True)
    np.testing.assert_allclose(outputs_of(tmp_path / "new.onnx", x), wanted, rtol=1e-5)
    assert "largest difference" in capsys.readouterr().out


def test_a_saved_file_becomes_one_for_inference(model, tmp_path):
    model.save(tmp_path / "m.onnx")
    assert main(["convert", str(tmp_path / "m.onnx"), str(tmp_path / "n.onnx")]) == 0
    proto = onnx.load(tmp_path / "n.onnx")
    assert len(proto.training_info) == 0
    keys = {entry.key for entry in proto.metadata_props}
    assert "seqonnx.layers" in keys
    assert "seqonnx.weights" not in keys


def test_batch_is_fixed_and_freed(model, tmp_path):
    model.export(tmp_path / "m.onnx")
    fixed, free = tmp_path / "fixed.onnx", tmp_path / "free.onnx"
    assert main(["convert", str(tmp_path / "m.onnx"), str(fixed), "--batch", "4"]) == 0
    shape = onnxruntime.InferenceSession(fixed).get_inputs()[0].shape
    assert shape == [4, 8, 8, 1]
    assert main(["convert", str(fixed), str(free), "--batch", "free"]) == 0
    np.testing.assert_allclose(outputs_of(free, X[:3]), model.predict(X[:3], verbose=0), atol=1e-6)


def test_precision_and_data_beside_the_model(model, tmp_path, capsys):
    model.export(tmp_path / "m.onnx")
    arguments = ["convert", str(tmp_path / "m.onnx"), str(tmp_path / "h.onnx"), "--float16"]
    assert main([*arguments, "--external-data"]) == 0
    assert len(list(tmp_path.glob("h.onnx.*.data"))) == 0  # no weight of 1 KB
    weights = onnx.load(tmp_path / "h.onnx").graph.initializer
    assert onnx.TensorProto.FLOAT16 in {tensor.data_type for tensor in weights}
    np.savez(tmp_path / "data.npz", image=X)
    quantised = ["convert", str(tmp_path / "m.onnx"), str(tmp_path / "q.onnx"), "--int8"]
    assert main([*quantised, "--calibration", str(tmp_path / "data.npz")]) == 0
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(tmp_path / "q.onnx").graph.node}
    assert versions_of(tmp_path / "q.onnx")[0] <= 21
    apart = np.abs(outputs_of(tmp_path / "q.onnx", X) - model.predict(X, verbose=0)).max()
    assert f": {apart:.3g}"[:6] in capsys.readouterr().out.splitlines()[-1]


def test_the_difference_is_that_on_the_given_inputs(model, tmp_path, capsys):
    model.export(tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", image=X)
    arguments = ["convert", str(tmp_path / "m.onnx"), str(tmp_path / "n.onnx"), "--opset", "13"]
    assert main([*arguments, "--inputs", str(tmp_path / "x.npz")]) == 0
    assert "largest difference from" in capsys.readouterr().out
    np.savez(tmp_path / "x.npz", picture=X)
    assert main([*arguments, "--inputs", str(tmp_path / "x.npz")]) == 0
    assert "not compared" in capsys.readouterr().out


REFUSED = {
    "absent": (["absent.onnx", "o.onnx"], "File not found"),
    "ending": (["m.onnx", "o.pb"], "The result must be an `.onnx` file"),
    "set": (["m.onnx", "o.onnx", "--opset", "12"], "`opset` must be from 13 to 23"),
    "format": (["m.onnx", "o.onnx", "--opset", "21", "--ir-version", "8"], "from 10 to 11"),
    "int8 alone": (["m.onnx", "o.onnx", "--int8"], "calibration_data"),
    "calibration": (["m.onnx", "o.onnx", "--int8", "--calibration", "absent.npz"], "No such file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case, model, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.export("m.onnx")
    arguments, text = REFUSED[case]
    assert main(["convert", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("seqonnx convert: ")
    assert text in error
    assert not (tmp_path / "o.onnx").exists()


def test_a_batch_that_is_no_number_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["convert", "a.onnx", "b.onnx", "--batch", "many"])
    assert "expected a number from 1, or free; received 'many'" in capsys.readouterr().err
