"""Large models in fewer bits: what is written without ever being in one message is the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import seqonnx as keras
from seqonnx import layers
from support.importers.networks import noise, parsed
from support.large_weights import large_from_4_kib

__all__ = ["large_from_4_kib"]

GEMM = """
    <ir_version: 8, opset_import: ["": 17]>
    net (float[N, 32] x) => (float[N, 24] y)
    <float[32, 64] first, float[24, 64] second, float[24] bias, float[64, 24] added> {
        a = MatMul(x, first)
        b = Relu(a)
        s = ReduceMax<keepdims=0>(added)
        t = Mul(b, s)
        y = Gemm<transB=1>(t, second, bias)
    }
"""


def gemm() -> keras.Sequential:
    """A product, and one whose weight lies transposed; a large weight that is no product's."""
    return keras.Sequential([keras.Input((32,)), layers.ONNXModel(parsed(GEMM))])


def convolution() -> keras.Sequential:
    stack = [keras.Input((8, 8, 8)), layers.Conv2D(16, 3, activation="relu"), layers.Flatten()]
    return keras.Sequential([*stack, layers.Dense(64, activation="tanh"), layers.Dense(3)])


def embedding() -> keras.Sequential:
    stack = [keras.Input((6,), dtype="int32"), layers.Embedding(200, 16)]
    return keras.Sequential([*stack, layers.Flatten(), layers.Dense(40)])


def data_for(model: keras.Sequential) -> np.ndarray:
    x = noise(16, *model.input_shape[1:])
    return (
        x if model.layers[0].name.startswith(("onnx", "conv")) else (100 + 30 * x).astype("int32")
    )


MODELS = {"gemm": gemm, "convolution": convolution, "embedding": embedding}
FORMS = {
    "float16": {"dtype": "float16"},
    "float16 throughout": {"dtype": "float16", "keep_io": False},
    "bfloat16": {"dtype": "bfloat16"},
    "float16_weights": {"dtype": "float16_weights"},
    "int8": {"quantize": "int8"},
    "int8_dynamic": {"quantize": "int8_dynamic"},
    "int4": {"quantize": "int4", "opset": 21},
}


@pytest.fixture(params=[(m, f) for m in MODELS for f in FORMS], ids=" in ".join)
def pair(request, tmp_path) -> tuple[Path, Path, np.ndarray, str]:
    """A model written whole, and with its large weights apart."""
    name, form = request.param
    model = MODELS[name]()
    x = data_for(model)
    given = dict(FORMS[form])
    if form == "int8":
        given["calibration_data"] = x
    model.export(tmp_path / "whole.onnx", verbose=False, **given)
    request.getfixturevalue("large_from_4_kib")
    model.export(tmp_path / "apart.onnx", verbose=False, **given)
    return tmp_path / "whole.onnx", tmp_path / "apart.onnx", x, form


def stored(path: Path) -> dict[str, np.ndarray]:
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def test_graph_and_weights_are_those_of_a_small_model(pair):
    whole, apart, x, form = pair
    names = [path.name for path in apart.parent.iterdir()]
    assert len([name for name in names if name.endswith(".data")]) == 1
    kinds = [sorted(n.op_type for n in onnx.load(path).graph.node) for path in (whole, apart)]
    assert kinds[0] == kinds[1]
    first, second = stored(whole), stored(apart)
    shapes = [sorted((a.shape, str(a.dtype)) for a in found.values()) for found in (first, second)]
    assert shapes[0] == shapes[1]
    for name in first.keys() & second.keys():
        a, b = (np.asarray(found[name], np.float64) for found in (first, second))
        integers = first[name].dtype.kind in "iu"
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1 if integers else 1e-7, err_msg=name)
        if integers:  # a rounding apart at most
            assert np.mean(a != b) <= 0.01, name
    if form == "bfloat16":
        return  # ONNX Runtime has no kernels of bfloat16 for the CPU
    results = []
    for path in (whole, apart):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (value,) = session.get_inputs()
        fed = x.astype(np.float16) if value.type == "tensor(float16)" else x
        results.append(np.asarray(session.run(None, {value.name: fed})[0], np.float32))
    scale = np.abs(results[0]).max()
    np.testing.assert_allclose(results[0], results[1], atol=0.01 * scale)


def test_drift_is_measured_without_a_whole_message(large_from_4_kib, tmp_path, capsys):
    model = convolution()
    x = data_for(model)
    drift = model.export(tmp_path / "m.onnx", quantize="int8", calibration_data=x)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    apart = np.abs(session.run(None, {"input": x})[0] - model.predict(x, verbose=0))
    assert drift.samples == len(x)
    assert drift.largest == pytest.approx(apart.max(), rel=1e-3)
    assert 0 < drift.mean < 0.05 * drift.span
    assert "16 calibration samples" in capsys.readouterr().out


def test_numbers_beyond_float16_become_its_largest(large_from_4_kib, tmp_path):
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, use_bias=False)])
    model.set_weights([np.full((64, 64), 1e6, np.float32)])
    model.export(tmp_path / "m.onnx", dtype="float16")
    (kernel,) = stored(tmp_path / "m.onnx").values()
    assert kernel.dtype == np.float16
    assert set(kernel.ravel()) == {np.float16(65504)}
