"""The arguments of `export` are checked, and each does what it says."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.export.options import lowest_ir_version


def make_model() -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(300, name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(2, name="head"),
        ]
    )


REFUSED = {
    "outputs by position": (
        (["hidden"],), {}, ValueError,
        r"The second argument of `export` is `format`.*`export\(filepath, outputs=\['hidden'\]\)`",
    ),
    "all by position": (("all",), {}, ValueError, r"outputs='all'"),
    "layer by position": (
        ("hidden",), {}, ValueError,
        r"`format` must be \"onnx\". Received: format='hidden'. If it is the name of a layer",
    ),
    "saved model": (("tf_saved_model",), {}, ValueError, r"Save the model as a `.keras` file"),
    "openvino": (("openvino",), {}, ValueError, r"pass the file to `openvino.convert_model`"),
    "litert": (("litert",), {}, ValueError, r"exports for LiteRT"),
    "torch": (("torch",), {}, ValueError, r"program of PyTorch's"),
    "old set": ((), {"opset": 12}, ValueError, r"`opset` must be from 13 to 23.*opset=12"),
    "new set": ((), {"opset": 24}, ValueError, r"Received: opset=24"),
    "set as text": ((), {"opset": "18"}, TypeError, r"`opset` must be an integer.*'18'"),
    "old format": (
        (), {"opset": 21, "ir_version": 9}, ValueError,
        r"`ir_version` must be from 10 to 11 for operator set 21.*ir_version=9, opset=21",
    ),
    "new format": ((), {"ir_version": 12}, ValueError, r"from 7 to 11, or None"),
    "weights": (
        (), {"weights_as": "node"}, ValueError,
        r'`weights_as` must be one of "initializer", "constant", "input"',
    ),
    "external": ((), {"external_data": -1}, TypeError, r"number of bytes.*external_data=-1"),
    "external text": ((), {"external_data": "w"}, TypeError, r"external_data='w'"),
    "constants outside": (
        (), {"weights_as": "constant", "external_data": True}, ValueError,
        r"cannot go to a file of their own",
    ),
    "calibration alone": (
        (), {"calibration_data": np.ones((1, 4))}, ValueError, r"Received: quantize=None",
    ),
    "keep_io alone": ((), {"keep_io": False}, ValueError, r"Received: dtype=None"),
    "keep_io text": ((), {"keep_io": "no"}, TypeError, r"`keep_io` must be True or False"),
    "verbose text": ((), {"verbose": "loud"}, TypeError, r"`verbose` must be True or False"),
    "quantised inputs": (
        (), {"quantize": "int8", "weights_as": "input"}, ValueError,
        r"Quantised weights are stored as initializers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_arguments_that_are_refused(case, tmp_path):
    args, kwargs, kind, text = REFUSED[case]
    with pytest.raises(kind, match=text):
        make_model().export(tmp_path / "m.onnx", *args, **kwargs)
    assert list(tmp_path.iterdir()) == []


def outputs_of(path, x) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.parametrize("place", ["constant", "input"])
def test_weights_stand_where_they_are_asked_for(place, tmp_path):
    model, path = make_model(), tmp_path / "m.onnx"
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    model.export(path, weights_as=place)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    np.testing.assert_allclose(outputs_of(path, x), model.predict(x, verbose=0), atol=1e-6)
    if place == "constant":
        assert len(proto.graph.initializer) == 0
        return
    assert proto.graph.input[0].name == "input"
    # every weight of the model under its own name, not what folding makes of them
    weights = {weight.path for weight in model.weights}
    assert {value.name for value in proto.graph.input} == {"input", *weights}
    session = onnxruntime.InferenceSession(path)
    assert "head/bias" in {value.name for value in session.get_overridable_initializers()}
    shifted = session.run(None, {"input": x, "head/bias": np.full(2, 5, np.float32)})[0]
    np.testing.assert_allclose(shifted, model.predict(x, verbose=0) + 5, atol=1e-5)


def test_constants_of_operators_are_no_inputs(tmp_path):
    model = keras.Sequential([keras.Input((6, 2)), layers.Reshape((3, 4)), layers.LSTM(3)])
    model.export(tmp_path / "m.onnx", weights_as="input")
    graph = onnx.load(tmp_path / "m.onnx").graph
    weights = {weight.path for weight in model.weights}
    assert {value.name for value in graph.input} == {"input", *weights}
    assert {tensor.name for tensor in graph.initializer} > weights


@pytest.mark.parametrize(
    ("external", "outside"),
    [(None, False), (False, False), (True, True), (1000, True), (10**6, False), (10**12, False)],
)
def test_weights_go_to_a_file_of_their_own_where_asked(external, outside, tmp_path):
    model, path = make_model(), tmp_path / "m.onnx"
    model.export(path, external_data=external)
    assert len(list(tmp_path.iterdir())) == 1 + outside
    x = np.ones((2, 4), np.float32)
    np.testing.assert_allclose(outputs_of(path, x), model.predict(x, verbose=0), atol=1e-6)


def test_a_model_without_weights_has_no_empty_data_file(tmp_path):
    keras.Sequential([keras.Input((2,)), layers.ReLU()]).export(
        tmp_path / "m.onnx", external_data=True
    )
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_a_line_about_the_file_is_printed_where_asked(tmp_path, capsys):
    make_model().export(tmp_path / "m.onnx")
    assert capsys.readouterr().out == ""
    make_model().export(tmp_path / "m.onnx", verbose=True)
    size = (tmp_path / "m.onnx").stat().st_size
    assert f"m.onnx: operator set 18, IR version 8, {size:,} bytes\n" in capsys.readouterr().out


def test_lowest_file_format_of_each_operator_set():
    # the table of releases in ONNX's docs/Versioning.md
    sets = {13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}
    assert {opset: lowest_ir_version(opset) for opset in sets} == sets
    assert lowest_ir_version(13, {"ai.onnx.ml": 3}) == 8
