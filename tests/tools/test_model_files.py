"""Every file of `models/` builds, trains, exports; what is committed is what the code builds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
# The network of onnx_finetune comes from a file that need not be here (tests/importers), that of
# xception_transfer is too large (tests/applications).
ELSEWHERE = {"onnx_finetune", "xception_transfer"}
NAMES = sorted(path.stem for path in MODELS.glob("*.py") if path.stem not in ELSEWHERE)
MNIST = ROOT.parent / "shared" / "data" / "mnist10k.npz"

# What each model predicts, for random data to train on: number of classes, or of values.
TARGETS = dict.fromkeys(("digits_cnn", "feature_extractor", "mnist_cnn"), "class")
# The models that read and give codes of characters are tested in test_writing_models.py.
NETS = sorted(set(NAMES) - {"transformer", "character_lstm"})


@pytest.fixture
def tool(load):
    return load("tools/refresh/build_models.py")


def structure(path: Path) -> object:
    """All of a model but the values of its weights."""
    graph = onnx.load(path).graph
    return (
        [(n.name, n.op_type, list(n.input), list(n.output), list(n.attribute)) for n in graph.node],
        [(t.name, t.data_type, list(t.dims)) for t in graph.initializer],
        list(graph.input),
        list(graph.output),
    )


def weights(path: Path) -> dict[str, np.ndarray]:
    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def test_every_model_is_built_and_its_file_is_small(tool):
    assert sorted(tool.NAMES) == NAMES
    assert sorted(path.stem for path in MODELS.glob("*.onnx")) == NAMES
    assert all(path.stat().st_size < tool.LIMIT for path in MODELS.glob("*.onnx"))


def test_committed_files_are_rebuilt_byte_for_byte(run_script, tool, tmp_path):
    result = run_script("tools/refresh/build_models.py", tmp_path, PYTHONHASHSEED="1")
    assert result.returncode == 0, result.stderr
    recorded = json.loads((MODELS / "versions.json").read_text("utf-8"))
    for name in NAMES:
        built, committed = tmp_path / f"{name}.onnx", MODELS / f"{name}.onnx"
        if recorded == tool.versions():
            assert built.read_bytes() == committed.read_bytes(), (
                f"{name}.onnx is not what the code builds. If the change is meant: "
                "python tools/refresh/build_models.py"
            )
        else:
            # Another version of these packages may fold, order and serialize differently.
            assert structure(built) == structure(committed)
            expected = weights(committed)
            for key, value in weights(built).items():
                np.testing.assert_allclose(value, expected[key], rtol=1e-6, atol=1e-7)


def test_committed_file_changes_with_a_weight(tool, tmp_path):
    model = tool.build("guide_dense")
    kernel, *others = model.get_weights()
    model.set_weights([np.nextafter(kernel, np.float32(9)), *others])
    model.export(tmp_path / "other.onnx")
    assert (tmp_path / "other.onnx").read_bytes() != (MODELS / "guide_dense.onnx").read_bytes()


@pytest.mark.parametrize("name", NETS)
def test_model_trains_an_epoch_and_exports(name, tool, tmp_path):
    model = tool.build(name)
    rng = np.random.default_rng(0)
    x = rng.random((3, *model.input_shape[1:]), dtype=np.float32)
    classes = model.output_shape[-1]
    if TARGETS.get(name) == "class":
        y, loss = rng.integers(0, classes, 3), "sparse_categorical_crossentropy"
    else:
        y, loss = rng.random((3, classes), dtype=np.float32), "mse"
    before = model.get_weights()
    model.compile("adam", loss, device="cpu")
    history = model.fit(x, y, batch_size=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(changed)

    path = tmp_path / f"{name}.onnx"
    model.export(path)
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(outputs, model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def test_first_command_of_the_readme_learns_the_digits(run_script, tmp_path):
    result = run_script("models/digits_cnn.py")
    assert result.returncode == 0, result.stderr
    accuracy = re.search(r"held-out accuracy on 359 digits: (0\.\d+|1\.0+)", result.stdout)
    assert accuracy is not None
    assert float(accuracy[1]) >= 0.97
    difference = re.search(r"differs from model\.predict by at most (\S+)", result.stdout)
    assert difference is not None
    assert float(difference[1]) <= 1e-5
    assert "Epoch 15/15" in result.stdout
    assert re.search(r"^dense +Dense +\(None, 10\)", result.stdout, re.MULTILINE)
    assert (tmp_path / "digits.onnx").is_file()


@pytest.mark.skipif(not MNIST.exists(), reason="the MNIST images are not beside the checkout")
def test_mnist_model_learns_from_a_part_of_the_images(load, tmp_path):
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data(MNIST)
    part = tmp_path / "part.npz"
    np.savez(
        part,
        x_train=x_train[:1500],
        y_train=y_train[:1500],
        x_test=x_test[:500],
        y_test=y_test[:500],
    )
    keras.set_device("cpu")
    assert load("models/mnist_cnn.py").train(str(part), epochs=2, verbose=0) > 0.8


def test_mnist_model_asks_for_its_data(run_script):
    result = run_script("models/mnist_cnn.py")
    assert result.returncode == 1
    assert "PATH_OF_NPZ" in result.stderr
