"""`autodiff.gradients` differentiates models and files; checked by finite differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.autodiff import gradients
from seqonnx.errors import ModelFileError

MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "onnx" / "mnist.onnx"


def run(proto: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


@pytest.fixture
def model() -> keras.Sequential:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(3, 3, activation="tanh", name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.AveragePooling2D(2, name="pool"),
            layers.Flatten(name="flat"),
            layers.Dense(2, activation="sigmoid", name="head"),
        ]
    )
    model.get_layer("bn").set_weights([[1.0, 2.0, 0.5], [0.0, 1.0, -1.0], [0.1] * 3, [2.0] * 3])
    return model


def test_gradients_of_a_model_equal_central_differences_of_the_model(model):
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype(np.float32)
    proto = gradients(model, "head", ["input", "head/kernel", "bn/gamma"])
    onnx.checker.check_model(proto, full_check=True)
    found = run(proto, {"input": x})
    assert list(found) == ["grad/input", "grad/head/kernel", "grad/bn/gamma"]
    assert found["grad/input"].shape == x.shape

    def total(batch: np.ndarray) -> float:
        return float(model(batch).astype(np.float64).sum())

    for seed in range(3):
        direction = np.random.default_rng(seed).normal(size=x.shape).astype(np.float32)
        step = 1e-2
        derivative = (total(x + step * direction) - total(x - step * direction)) / (2 * step)
        np.testing.assert_allclose(np.vdot(found["grad/input"], direction), derivative, rtol=5e-3)
    for path, layer, index in (("grad/head/kernel", "head", 0), ("grad/bn/gamma", "bn", 0)):
        owner = model.get_layer(layer)
        weights = owner.get_weights()
        direction = np.random.default_rng(9).normal(size=weights[index].shape)
        sums = []
        for sign in (1, -1):
            moved = [w.copy() for w in weights]
            moved[index] += sign * 1e-2 * direction
            owner.set_weights(moved)
            sums.append(total(x))
        owner.set_weights(weights)
        np.testing.assert_allclose(
            np.vdot(found[path], direction), (sums[0] - sums[1]) / 2e-2, rtol=5e-3
        )


def test_gradients_of_a_file_equal_those_of_the_model(model, tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype(np.float32)
    model.export(tmp_path / "m.onnx")
    want = run(gradients(model, "head", ["input"]), {"input": x})
    for source in (tmp_path / "m.onnx", str(tmp_path / "m.onnx"), onnx.load(tmp_path / "m.onnx")):
        got = run(gradients(source, "head", ["input"]), {"input": x})
        np.testing.assert_allclose(got["grad/input"], want["grad/input"], rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(not MNIST.is_file(), reason="the shared model mnist.onnx is not here")
def test_gradients_of_a_real_file_of_an_old_operator_set():
    original = onnx.load(MNIST)
    assert original.opset_import[0].version == 8
    (given,) = [v.name for v in original.graph.input if v.name not in {
        t.name for t in original.graph.initializer}]  # fmt: skip
    (result,) = [v.name for v in original.graph.output]
    session = onnxruntime.InferenceSession(MNIST, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).uniform(0, 1, size=(1, 1, 28, 28)).astype(np.float32)
    found = run(gradients(MNIST, result, [given]), {given: x})[f"grad/{given}"]
    assert found.shape == x.shape
    agreeing = 0
    for seed in range(6):
        direction = np.random.default_rng(seed).normal(size=x.shape).astype(np.float32)
        step = 1e-4  # small, because many of the net's kinks are near
        plus, minus = (
            session.run(None, {given: x + sign * step * direction})[0].astype(np.float64).sum()
            for sign in (1, -1)
        )
        derivative, claimed = (plus - minus) / (2 * step), np.vdot(found, direction)
        agreeing += abs(claimed - derivative) <= 0.01 * abs(derivative) + 0.01
    assert agreeing == 6


def test_names_that_are_not_there_and_files_that_are_not_models(model, tmp_path):
    with pytest.raises(ValueError, match="`output` names a tensor that the graph does not have"):
        gradients(model, "absent", ["input"])
    with pytest.raises(ValueError, match="`wrt` names a tensor that the graph does not have"):
        gradients(model, "head", ["absent"])
    with pytest.raises(ModelFileError, match="File not found"):
        gradients(tmp_path / "absent.onnx", "head", ["input"])


def test_tensor_that_does_not_matter_has_a_gradient_of_zeros(model):
    proto = gradients(model, "conv/Conv", ["head/kernel"])
    x = np.ones((1, 6, 6, 1), np.float32)
    found = run(proto, {"input": x})["grad/head/kernel"]
    np.testing.assert_array_equal(found, np.zeros((12, 2)))
