"""Sessions: right numbers, every kind of feed, one thread pool, errors about files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper

from seqonnx.errors import DeviceError, ExecutionError, ModelFileError
from seqonnx.runtime import (
    CPU,
    Device,
    DeviceArray,
    Provider,
    Session,
    TensorSpec,
    load_onnxruntime,
    options,
)

X = np.arange(6, dtype=np.float32).reshape(2, 3)
W = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
B = np.array([10, 20], np.float32)
FEEDS = {"x": X, "w": W, "b": B}


@pytest.mark.parametrize("training", [False, True])
def test_run_computes_the_graph(affine, training):
    y, total = Session(affine, CPU, training=training).run(FEEDS)
    np.testing.assert_array_equal(y, X @ W + B)
    assert total == np.sum(X @ W + B)


def test_run_gives_the_outputs_asked_for_in_that_order(affine):
    session = Session(affine, CPU)
    total, y = session.run(FEEDS, ["total", "y"])
    assert (total.shape, y.shape) == ((), (2, 2))
    assert len(session.run(FEEDS, ["y"])) == 1


def test_run_takes_arrays_and_device_arrays_side_by_side(affine):
    feeds = {"x": X, "w": DeviceArray.from_numpy(W, CPU), "b": B}
    y, _ = Session(affine, CPU).run(feeds)
    np.testing.assert_array_equal(y, X @ W + B)


def test_run_takes_an_array_that_is_not_contiguous(affine):
    y, _ = Session(affine, CPU).run({"x": X, "w": np.asfortranarray(W), "b": B})
    np.testing.assert_array_equal(y, X @ W + B)


def test_session_describes_its_inputs_and_outputs(affine):
    session = Session(affine, CPU)
    assert session.device == CPU
    assert session.input_names == ["x", "w", "b"]
    assert session.output_names == ["y", "total"]
    assert session.inputs[0] == TensorSpec("x", "float32", ("rows", 3))
    assert session.outputs[1] == TensorSpec("total", "float32", ())


def test_model_is_read_from_a_path(affine, tmp_path):
    path = tmp_path / "affine.onnx"
    path.write_bytes(affine)
    y, _ = Session(path, CPU).run(FEEDS)
    np.testing.assert_array_equal(y, X @ W + B)


def test_bfloat16_goes_in_and_comes_out(make_model):
    bfloat16, float32 = onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT
    model = make_model(
        [
            helper.make_node("Cast", ["x"], ["wide"], to=float32),
            helper.make_node("Add", ["wide", "wide"], ["twice"]),
            helper.make_node("Cast", ["twice"], ["y"], to=bfloat16),
        ],
        {"x": (bfloat16, [3])},
        {"y": (bfloat16, [3]), "twice": (float32, [3])},
    )
    x = np.array([0.5, 1.5, -2], ml_dtypes.bfloat16)
    session = Session(model, CPU)
    for feed in (x, DeviceArray.from_numpy(x, CPU)):
        y, twice = session.run({"x": feed})
        assert y.dtype == ml_dtypes.bfloat16
        assert y.astype(np.float32).tolist() == [1, 3, -4]
        assert twice.tolist() == [1, 3, -4]
    assert session.run({"x": x}, ["twice"])[0].tolist() == [1, 3, -4]


def test_strings_go_in_and_come_out(make_model):
    string = onnx.TensorProto.STRING
    model = make_model(
        [helper.make_node("Identity", ["x"], ["y"])], {"x": (string, [2])}, {"y": (string, [2])}
    )
    assert Session(model, CPU).run({"x": np.array(["a", "b"])})[0].tolist() == ["a", "b"]


def test_other_code_can_still_make_its_own_sessions(affine):
    Session(affine, CPU).run(FEEDS)
    plain = load_onnxruntime().InferenceSession(affine, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(plain.run(["y"], FEEDS)[0], X @ W + B)


def test_process_wide_thread_pool_of_other_code_is_used(affine, tmp_path):
    (tmp_path / "affine.onnx").write_bytes(affine)
    code = """
import onnxruntime, pathlib, sys
from seqonnx.runtime import CPU, Session
onnxruntime.set_global_thread_pool_sizes(2, 1)
print(*Session(pathlib.Path(sys.argv[1]), CPU).input_names)
"""
    result = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "affine.onnx"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "x w b\n", result.stderr


def test_threads_of_a_yielding_session_do_not_spin():
    key = "session.force_spinning_stop"
    assert options.session_options(yielding=True).get_session_config_entry(key) == "1"
    for training in (True, False):
        with pytest.raises(RuntimeError, match="does not have configuration"):
            options.session_options(training=training).get_session_config_entry(key)


def test_training_sessions_forgo_the_blocked_layouts():
    training, inference = (options.session_options(training=flag) for flag in (True, False))
    assert training.graph_optimization_level.name == "ORT_ENABLE_EXTENDED"
    assert inference.graph_optimization_level.name == "ORT_ENABLE_ALL"


def test_absent_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"There is no file '.*absent\.onnx'"):
        Session(tmp_path / "absent.onnx", CPU)


def test_file_that_is_no_model_is_named(tmp_path):
    path = tmp_path / "notes.onnx"
    path.write_bytes(b"These are no protobuf bytes.")
    with pytest.raises(ModelFileError, match=r"notes\.onnx' is not an ONNX model"):
        Session(path, CPU)


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(ExecutionError, match="cannot load graph 'step'"):
        Session(b"These are no protobuf bytes.", CPU, name="step")


def test_provider_that_does_not_start_is_an_error_and_no_fallback(affine, monkeypatch):
    class Elsewhere:
        def __init__(self, *args, **kwargs):
            assert kwargs["enable_fallback"] == 0

        def get_providers(self):
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(load_onnxruntime(), "InferenceSession", Elsewhere)
    device = Device("custom", 0, (Provider("CUDAExecutionProvider"),))
    with pytest.raises(DeviceError, match="CUDAExecutionProvider was asked for but does not start"):
        Session(affine, device)


def test_path_is_not_taken_for_bytes(affine, tmp_path):
    path = tmp_path / "modèle.onnx"
    path.write_bytes(affine)
    assert Session(Path(path), CPU).input_names == ["x", "w", "b"]
