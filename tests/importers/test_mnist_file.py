"""A real network, trained elsewhere: measured, cut, given a new head, trained, exported, run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
NETWORK = SHARED / "onnx" / "mnist.onnx"
DATA = SHARED / "mnist10k.npz"
SCORES = "Plus214_Output_0"
FEATURES = "Pooling160_Output_0_reshape0"  # what goes into the last layer

pytestmark = pytest.mark.skipif(
    not (NETWORK.is_file() and DATA.is_file()), reason="shared/data is not beside the checkout"
)


@pytest.fixture(scope="module")
def digits():
    with np.load(DATA) as file:
        return {name: file[name] for name in file}


def images(array: np.ndarray) -> np.ndarray:
    """Images as the network takes them: channels first, values from 0 to 255."""
    return array[:, np.newaxis].astype(np.float32)


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(scores.argmax(axis=1) == labels))


def test_batches_give_what_the_file_gives_one_by_one(digits):
    assert [d.dim_value for d in onnx.load(NETWORK).graph.input[0].type.tensor_type.shape.dim] == [
        *(1, 1, 28, 28)
    ]
    x, y = images(digits["x_test"][:500]), digits["y_test"][:500]
    session = onnxruntime.InferenceSession(NETWORK, providers=["CPUExecutionProvider"])
    alone = np.concatenate([session.run(None, {"Input3": row[np.newaxis]})[0] for row in x])
    together = keras.load_model(NETWORK).predict(x, batch_size=64, verbose=0)
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4 * np.abs(alone).max())
    assert accuracy(together, y) == accuracy(alone, y) > 0.98


def test_weights_are_those_of_the_file():
    layer = layers.ONNXModel(NETWORK, name="net")
    stored = {t.name: t for t in onnx.load(NETWORK).graph.initializer}
    floats = [t.name for t in stored.values() if t.data_type == onnx.TensorProto.FLOAT]
    assert [v.name for v in layer.weights] == floats
    for variable in layer.weights:
        expected = onnx.numpy_helper.to_array(stored[variable.name])
        np.testing.assert_array_equal(variable.numpy(), expected)


def test_new_head_and_fine_tuning_keep_the_accuracy_and_the_export_agrees(digits, tmp_path):
    x, y = images(digits["x_train"][:3000]), digits["y_train"][:3000]
    x_test, y_test = images(digits["x_test"]), digits["y_test"]
    base = layers.ONNXModel(NETWORK, outputs=FEATURES, trainable=False, name="base")
    assert [v.name for v in base.weights] == ["Parameter87", "Parameter5", "Parameter6",
                                              "Parameter88"]  # fmt: skip
    model = keras.Sequential(
        [base, layers.Rescaling(1e-3), layers.Dense(10, activation="softmax", name="head")]
    )
    assert accuracy(model.predict(x_test, verbose=0), y_test) < 0.5

    frozen = base.get_weights()
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=64, epochs=4, verbose=0)
    head_only = accuracy(model.predict(x_test, verbose=0), y_test)
    assert all(np.array_equal(a, b) for a, b in zip(frozen, base.get_weights(), strict=True))
    assert head_only >= 0.97

    base.trainable = True
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=64, epochs=1, verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(frozen, base.get_weights(), strict=True))
    predicted = model.predict(x_test, verbose=0)
    assert accuracy(predicted, y_test) >= 0.97

    model.export(tmp_path / "tuned.onnx")
    onnx.checker.check_model(tmp_path / "tuned.onnx", full_check=True)
    session = onnxruntime.InferenceSession(
        tmp_path / "tuned.onnx", providers=["CPUExecutionProvider"]
    )
    (exported,) = session.run(None, {"input": x_test})
    np.testing.assert_allclose(exported, predicted, atol=1e-5)
    model.save(tmp_path / "saved.onnx")
    again = keras.load_model(tmp_path / "saved.onnx")
    np.testing.assert_array_equal(again.predict(x_test[:64], verbose=0), predicted[:64])


def test_cut_at_a_misspelt_tensor_names_the_right_one():
    with pytest.raises(ValueError, match=rf"'Plus214_Output'. The nearest names are \['{SCORES}'"):
        layers.ONNXModel(NETWORK, outputs="Plus214_Output")


def test_fine_tuning_program_prints_what_it_reaches(tmp_path, capsys, monkeypatch):
    import runpy

    with np.load(DATA) as file:
        part = {name: file[name][: 640 if "train" in name else 300] for name in file}
    np.savez(tmp_path / "part.npz", **part)
    program = runpy.run_path(str(ROOT / "models" / "onnx_finetune.py"))
    program["main"](NETWORK, tmp_path / "part.npz", tmp_path / "tuned.onnx")
    lines = capsys.readouterr().out.splitlines()
    reached = {
        line.partition(":")[0]: float(line.split()[-1])
        for line in lines
        if line.startswith(("the network as", "new head", "head trained", "everything"))
    }
    assert reached["the network as it comes"] > 0.97
    assert reached["new head, not trained"] < 0.5
    assert reached["head trained"] > 0.9
    assert reached["everything trained"] > 0.9
    assert f"{tmp_path / 'tuned.onnx'} under plain onnxruntime" in lines[-2]
    assert float(lines[-1].split()[-1]) < 1e-5
    program["main"](tmp_path / "absent.onnx")
    assert capsys.readouterr().out.startswith("skipped: ")
