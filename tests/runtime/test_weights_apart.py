"""Weights of large models stay in one place: mapped from their file, read by every session."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import ModelFileError
from seqonnx.graph import Emitter
from seqonnx.graph.apart import to_session_model
from seqonnx.graph.mapped import is_mapped, region_of
from seqonnx.runtime import CPU, Session
from support.importers.networks import noise, parsed, plain
from support.large_weights import large_from_4_kib

__all__ = ["large_from_4_kib"]

NETWORK = """
    <ir_version: 8, opset_import: ["": 17]>
    net (float[N, 32] x) => (float[N, 32] y) <float[32, 32] first, float[32, 32] second> {
        a = MatMul(x, first)
        b = Tanh(a)
        c = MatMul(b, second)
        y = Tanh(c)
    }
"""


@pytest.fixture
def path(tmp_path) -> Path:
    """A network whose weights lie in a data file."""
    model = parsed(NETWORK)
    onnx.save(
        model,
        tmp_path / "net.onnx",
        save_as_external_data=True,
        location="net.data",
        size_threshold=0,
    )
    return tmp_path / "net.onnx"


def fine_tuned(path: Path) -> tuple[keras.Sequential, list[float]]:
    """A frozen network with a head of its own, trained for two steps."""
    keras.set_random_seed(0)
    model = keras.Sequential([layers.ONNXModel(path, trainable=False), layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    history = model.fit(noise(4, 32), noise(4, 3), epochs=2, verbose=0)
    return model, history.history["loss"]


def test_a_large_network_is_mapped_and_works_as_a_small_one_does(path, request, tmp_path):
    x = noise(5, 32)
    expected, losses = fine_tuned(path)
    request.getfixturevalue("large_from_4_kib")
    model, own = fine_tuned(path)
    assert [is_mapped(w._stored()) for w in model.layers[0].weights] == [True, True]
    assert own == pytest.approx(losses, rel=1e-6)
    y = expected.predict(x, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), y, rtol=1e-5)
    np.testing.assert_allclose(model.layers[0](x), plain(str(path), x)[0], rtol=1e-5)
    assert model.evaluate(x, y, verbose=0) < 1e-10
    model.export(tmp_path / "exported.onnx")
    np.testing.assert_allclose(plain(str(tmp_path / "exported.onnx"), x)[0], y, rtol=1e-5)
    model.save(tmp_path / "saved.onnx")
    again = keras.load_model(tmp_path / "saved.onnx")
    assert [is_mapped(w._stored()) for w in again.layers[0].weights] == [True, True]
    np.testing.assert_allclose(again.predict(x, verbose=0), y, rtol=1e-5)
    both = [m.fit(noise(4, 32), noise(4, 3), verbose=0).history["loss"] for m in (model, again)]
    assert both[0] == pytest.approx(both[1], rel=1e-6)


def test_a_mapped_weight_can_be_trained_and_assigned(large_from_4_kib, path):
    layer = layers.ONNXModel(path)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = layer.get_weights()
    model.fit(noise(4, 32), noise(4, 32), verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))
    layer.set_weights(before)
    np.testing.assert_allclose(layer(noise(2, 32)), plain(str(path), noise(2, 32))[0], rtol=1e-5)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no file that is open")
def test_a_network_outlives_its_file(large_from_4_kib, path):
    layer = layers.ONNXModel(path)
    x = noise(2, 32)
    expected = plain(str(path), x)[0]
    path.with_name("net.data").unlink()
    assert region_of(layer.weights[0]._stored()) is None
    np.testing.assert_allclose(keras.Sequential([layer]).predict(x, verbose=0), expected, rtol=1e-5)


def test_weights_of_arrays_are_not_in_the_message_either(monkeypatch):
    """From 1 MiB of weights on a session gets the arrays that the variables hold."""
    sizes = []
    opened = onnxruntime.InferenceSession

    def noted(model, *args, **kwargs):
        sizes.append(len(model))
        return opened(model, *args, **kwargs)

    monkeypatch.setattr(onnxruntime, "InferenceSession", noted)
    model = keras.Sequential([keras.Input((512,)), layers.Dense(512), layers.Dense(2)])
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    x = noise(3, 512)
    kernel, bias, head, last = model.get_weights()
    expected = (x @ kernel + bias) @ head + last
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)
    model.fit(x, noise(3, 2), verbose=0)
    assert len(sizes) == 2
    assert max(sizes) < 1 << 15


def test_a_large_constant_that_nothing_uses_does_no_harm(large_from_4_kib):
    op = Emitter()
    op.constant(np.zeros((64, 64), np.float32))
    x = op.input("x", "float32", (1, 64))
    op.output(op.MatMul(x, np.ones((64, 64), np.float32)), "y")
    session = Session(to_session_model(op.graph), CPU)
    assert session.run({"x": np.ones((1, 64), np.float32)})[0].tolist() == [[64.0] * 64]


def test_a_data_file_that_is_too_short_or_elsewhere_is_refused(large_from_4_kib, path):
    data = path.with_name("net.data")
    data.write_bytes(data.read_bytes()[:-4])
    with pytest.raises(ModelFileError, match=r"truncated: 'second' is not whole"):
        layers.ONNXModel(path)
    model = onnx.load(path, load_external_data=False)
    next(e for e in model.graph.initializer[0].external_data if e.key == "location").value = "../d"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match=r"'first' lies in '\.\./d', which is outside"):
        layers.ONNXModel(path)


def test_a_file_that_is_too_large_for_one_message_says_so(tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 31)  # takes no room on the disk
    with pytest.raises(ModelFileError, match=r"2,147,483,648 bytes.*protobuf.*data file beside it"):
        layers.ONNXModel(path)


@pytest.mark.parametrize(
    "form", [{"dtype": "float16_weights"}, {"dtype": "bfloat16_weights"}, {"quantize": "int4"}]
)
def test_weights_in_fewer_bits_are_those_of_a_small_model(form, path, request, tmp_path):
    """One at a time from their file, never all in a message: the same numbers and nodes."""
    options = {**form, "opset": 21 if "quantize" in form else None}
    keras.set_random_seed(0)
    small = keras.Sequential([layers.ONNXModel(path, trainable=False), layers.Dense(3)])
    head = small.layers[1].get_weights()
    small.export(tmp_path / "small.onnx", **options)
    request.getfixturevalue("large_from_4_kib")
    large = keras.Sequential([layers.ONNXModel(path, trainable=False), layers.Dense(3)])
    large.layers[1].set_weights(head)
    large.export(tmp_path / "large.onnx", **options)
    assert len(list(tmp_path.glob("large.onnx.*.data"))) == 1
    assert list(tmp_path.glob("small.onnx.*.data")) == []
    files = [onnx.load(tmp_path / f"{name}.onnx") for name in ("small", "large")]
    onnx.checker.check_model(str(tmp_path / "large.onnx"), full_check=True)
    arrays = [
        {t.name.split("/", 1)[-1]: onnx.numpy_helper.to_array(t) for t in file.graph.initializer}
        for file in files
    ]
    assert len(arrays[0]) == len(arrays[1])
    for name, array in arrays[0].items():
        np.testing.assert_array_equal(arrays[1][name].astype("float32"), array.astype("float32"))
    x = noise(4, 32)
    results = []
    for name in ("small", "large"):
        session = onnxruntime.InferenceSession(tmp_path / f"{name}.onnx")
        results.append(session.run(None, {session.get_inputs()[0].name: x})[0])
    np.testing.assert_array_equal(*results)


def test_drift_of_integers_of_4_bits_is_that_of_the_file(large_from_4_kib, path, tmp_path):
    model = keras.Sequential([layers.ONNXModel(path, trainable=False)])
    x = noise(8, 32)
    drift = model.export(
        tmp_path / "m.onnx", quantize="int4", opset=21, calibration_data=x, verbose=False
    )
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    assert drift.largest == pytest.approx(
        np.abs(found - model.predict(x, verbose=0)).max(), rel=0.01
    )
    assert len(list(tmp_path.glob("m.onnx.*.data"))) == 1


def test_adapters_are_merged_without_all_sums_in_memory(large_from_4_kib, path, tmp_path):
    layer = layers.ONNXModel(path)
    layer.enable_lora(2)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(noise(4, 32), noise(4, 32), epochs=3, verbose=0)
    x = noise(5, 32)
    expected = model.predict(x, verbose=0)
    model.export(tmp_path / "merged.onnx")
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []
    np.testing.assert_allclose(plain(str(tmp_path / "merged.onnx"), x)[0], expected, rtol=1e-5)
    stored = [list(t.dims) for t in onnx.load(tmp_path / "merged.onnx").graph.initializer]
    assert stored == [[32, 32], [32, 32]]
    model.export(tmp_path / "apart.onnx", merge_lora=False)
    np.testing.assert_allclose(plain(str(tmp_path / "apart.onnx"), x)[0], expected, rtol=1e-5)
