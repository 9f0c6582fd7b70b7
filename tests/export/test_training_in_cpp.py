"""The driver in C++ of docs trains as Python does, and its state comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers

SOURCE = Path(__file__).parents[2] / "docs" / "demo" / "train.cpp"
HEADERS = Path(os.environ.get("SEQONNX_ORT_HEADERS", "/usr/include/onnxruntime"))
"""Where Debian's package libonnxruntime-dev puts them."""
LIBRARIES = sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))
pytest.importorskip("safetensors", reason="the state is a .safetensors file")
pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None
    or not (HEADERS / "onnxruntime_cxx_api.h").exists()
    or len(LIBRARIES) == 0,
    reason="needs g++, onnxruntime's library, and its headers: Debian 13's libonnxruntime-dev, or "
    "the folder SEQONNX_ORT_HEADERS",
)
SAMPLES, BATCH = 200, 20


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    """The driver, linked with the library of the Python package."""
    folder = tmp_path_factory.mktemp("cpp")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (folder / name).symlink_to(LIBRARIES[0])
    made = folder / "train"
    command = ["g++", "-std=c++17", "-I", HEADERS, SOURCE, "-o", made]
    subprocess.run([*command, "-L", folder, "-lonnxruntime", f"-Wl,-rpath,{folder}"], check=True)
    return made


def digits(*last: layers.Layer) -> tuple[keras.Sequential, np.ndarray, np.ndarray]:
    (x, y), _ = keras.datasets.load_digits()
    keras.set_random_seed(3)
    stack = [keras.Input((64,)), layers.Dense(32, "relu"), layers.BatchNormalization(), *last]
    model = keras.Sequential([*stack, layers.Dense(10, activation="softmax")])
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model, x[:SAMPLES].reshape(-1, 64).astype("float32") / 16, y[:SAMPLES]


def written(folder: Path, *last: layers.Layer) -> tuple[keras.Sequential, np.ndarray, np.ndarray]:
    """The model and its data, which are in files, too."""
    model, x, y = digits(*last)
    model.export_training(folder / "t", target_dtype="float32")
    x.tofile(folder / "x")
    y.astype("float32").tofile(folder / "y")
    return model, x, y


def run(program: Path, folder: Path, epochs: int) -> subprocess.CompletedProcess[str]:
    arguments = [folder / "t", 0.01, BATCH, epochs, SAMPLES, folder / "x", folder / "y"]
    command = [str(part) for part in (program, *arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_losses_and_weights_are_those_of_python(program, tmp_path):
    model, x, y = written(tmp_path)
    history = model.fit(x, y, BATCH, epochs=4, shuffle=False, verbose=0).history
    losses = []
    for epochs in (1, 3):  # the second run goes on from the file that the first has left
        done = run(program, tmp_path, epochs)
        assert done.returncode == 0, done.stderr
        losses += [float(line) for line in done.stdout.split()]
    assert losses == pytest.approx(history["loss"], abs=1e-4)
    assert losses[-1] < 0.2 * losses[0]
    back = digits()[0]
    back.load_training(tmp_path / "t")
    assert back.optimizer.iterations == 4 * SAMPLES // BATCH
    for ours, theirs in zip(model.get_weights(), back.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_driver_is_short():
    assert len(SOURCE.read_text(encoding="utf-8").splitlines()) < 80


def test_noise_and_missing_files_are_refused(program, tmp_path):
    written(tmp_path, layers.Dropout(0.5))
    done = run(program, tmp_path, 1)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "train: takes an input and targets, not also dropout/noise\n"
    shutil.rmtree(tmp_path / "t")
    assert "train: cannot read" in run(program, tmp_path, 1).stderr
