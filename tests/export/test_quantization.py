"""Files of small integers: their size, their values, and the drift that is told."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from seqonnx import Input, Model, Sequential, datasets, layers, optimizers, set_random_seed
from seqonnx.export.calibration import drift_of
from seqonnx.export.int4 import store_in_int4

MODELS = Path(__file__).resolve().parents[2] / "models"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist10k.npz"


def model_of(name):
    return runpy.run_path(str(MODELS / f"{name}.py"))["build"]()


def run(path, *arrays):
    session = onnxruntime.InferenceSession(path)
    feeds = dict(zip([value.name for value in session.get_inputs()], arrays, strict=True))
    return session.run(None, feeds)


def weight_bytes(path):
    def size(tensor):
        if tensor.data_type == TensorProto.INT4:
            return (int(np.prod(tensor.dims)) + 1) // 2
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        return int(np.prod(tensor.dims)) * dtype.itemsize

    return sum(size(tensor) for tensor in onnx.load(path).graph.initializer)


RATIOS = {"int8": 0.27, "int8_dynamic": 0.27, "int4": 0.17}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((64, 28, 28, 1), np.float32)


@pytest.mark.parametrize("form", RATIOS)
def test_file_shrinks_and_tells_its_drift(form, images, tmp_path, capsys):
    model = model_of("mnist_cnn")
    model.export(tmp_path / "full.onnx")
    data = {} if form == "int4" else {"calibration_data": images}
    drift = model.export(tmp_path / "small.onnx", quantize=form, **data)
    small = onnx.load(tmp_path / "small.onnx")
    onnx.checker.check_model(small, full_check=True)
    assert {node.domain for node in small.graph.node} == {""}
    assert [entry.domain for entry in small.opset_import] == [""]
    ratio = weight_bytes(tmp_path / "small.onnx") / weight_bytes(tmp_path / "full.onnx")
    assert ratio <= RATIOS[form]
    (want,), (have,) = (run(tmp_path / f"{name}.onnx", images) for name in ("full", "small"))
    assert np.abs(have - want).max() < 0.05
    assert (drift is None) == (form == "int4")
    if drift is not None:
        assert drift.samples == 64
        assert drift.mean == pytest.approx(np.abs(have - want).mean(), rel=0.2)
        assert f"small.onnx: {drift}\n" in capsys.readouterr().out


def test_kernels_are_stored_by_channels_as_int8(images, tmp_path):
    model = model_of("mnist_cnn")
    model.export(tmp_path / "m.onnx", quantize="int8", calibration_data=images, verbose=False)
    graph = onnx.load(tmp_path / "m.onnx").graph
    stored = {t.name: t for t in graph.initializer}
    kernel = stored["conv2d_1/kernel_quantized"]
    assert (kernel.data_type, list(kernel.dims)) == (TensorProto.INT8, [64, 32, 3, 3])
    scale = numpy_helper.to_array(stored["conv2d_1/kernel_scale"])
    array = numpy_helper.to_array(kernel) * scale[:, None, None, None]
    want = model.get_layer("conv2d_1").kernel.numpy().transpose(3, 2, 0, 1)
    assert np.abs(array - want).max() <= scale.max() / 2 * 1.01


def test_silent_where_that_is_asked_for(images, tmp_path, capsys):
    model = model_of("mnist_cnn")
    model.export(tmp_path / "m.onnx", quantize="int8", calibration_data=images, verbose=False)
    assert capsys.readouterr().out == ""


def test_several_inputs_are_given_as_a_list_or_by_name(tmp_path):
    first, second = Input((4,), name="a"), Input((3,), name="b")
    model = Model([first, second], layers.Dense(8)(layers.Concatenate()([first, second])))
    rng = np.random.default_rng(1)
    a, b = rng.random((40, 4), np.float32), rng.random((40, 3), np.float32)
    drifts = [
        model.export(tmp_path / "m.onnx", quantize="int8", calibration_data=data, verbose=False)
        for data in ([a, b], {"b": b, "a": a})
    ]
    assert drifts[0] == drifts[1]
    with pytest.raises(ValueError, match=r"an array for each input, \['a', 'b'\]: .* Received: nd"):
        model.export(tmp_path / "m.onnx", quantize="int8", calibration_data=a)
    with pytest.raises(ValueError, match=r"of input 'b' must have the shape \(None, 3\), .*40"):
        model.export(tmp_path / "m.onnx", quantize="int8", calibration_data=[a, a])


def test_drift_is_the_difference_of_outputs():
    drift = drift_of([np.array([[1.0, 0.0], [0.0, 1.0]])], [np.array([[0.5, 0.0], [0.75, 0.5]])])
    assert (drift.largest, drift.mean, drift.span) == (0.75, 0.4375, 1.0)
    assert (drift.samples, drift.agreement) == (2, 0.5)
    assert drift_of([np.ones((3, 1))], [np.ones((3, 1))]).agreement is None


@pytest.mark.parametrize("size", [64, 50, 20])
@pytest.mark.parametrize("kind", ["MatMul", "Gemm", "turned", "Conv", "Gather"])
def test_blocks_of_four_bits_are_near_and_valid(kind, size):
    rng = np.random.default_rng(size)
    shapes = {
        "MatMul": (size, 60),
        "Gemm": (size, 60),
        "turned": (60, size),
        "Conv": (30, size, 2, 2),
        "Gather": (60, size),
    }
    weight = rng.normal(size=shapes[kind]).astype(np.float32)
    op_type = "Gemm" if kind == "turned" else kind
    inputs = ["w", "x"] if kind == "Gather" else ["x", "w"]
    extra = {"transB": 1} if kind == "turned" else {}
    shape = ("b", size, 3, 3) if kind == "Conv" else ("b",) if kind == "Gather" else ("b", size)
    after = [2, 2] if kind == "Conv" else []
    element = TensorProto.INT64 if kind == "Gather" else TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(op_type, inputs, ["y"], **extra)],
        "g",
        [helper.make_tensor_value_info("x", element, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", None, *after])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    small = store_in_int4(model)
    onnx.checker.check_model(small, full_check=True)
    given = rng.integers(0, 60, 5) if kind == "Gather" else rng.normal(size=(5, *shape[1:]))
    x = given.astype(np.int64 if kind == "Gather" else np.float32)
    (want,), (have,) = (
        onnxruntime.InferenceSession(each.SerializeToString()).run(None, {"x": x})
        for each in (model, small)
    )
    assert 0 < np.abs(have - want).mean() < 0.15 * np.abs(want).mean()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"quantize": "int7"}, "`quantize` must be \"int8\" .* Received: quantize='int7'"),
        ({"quantize": "int8"}, r'`quantize="int8"` needs `calibration_data`'),
        ({"quantize": "int8_dynamic", "dtype": "float16"}, "give one of them. Received: quantize="),
        (
            {"quantize": "int4", "opset": 18},
            "Weights in int4 need operator set 21",
        ),
        ({"quantize": "int4"}, "there is nothing to store in 4 bits"),
    ],
)
def test_other_forms_are_refused(arguments, text, tmp_path):
    with pytest.raises(ValueError, match=text):
        Sequential([Input((4,)), layers.Dense(2)]).export(tmp_path / "m.onnx", **arguments)
    assert list(tmp_path.iterdir()) == []


def accuracy(path, x, y):
    parts = [run(path, x[start : start + 500])[0] for start in range(0, len(x), 500)]
    return float((np.concatenate(parts).argmax(1) == y).mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_cnn", "mnist_cnn"])
def test_accuracy_stays(name, tmp_path):
    """int8 within 0.5 points and 0.27 of the bytes, float16 within 0.1 points and half of them."""
    if name == "mnist_cnn":
        if not SHARED.exists():
            pytest.skip("the shared sample of MNIST is not beside this checkout")
        (x, y), (x_test, y_test) = datasets.mnist.load_data(SHARED)
        scale, rate, epochs, batch = 255, 0.008, 4, 128
    else:
        (x, y), (x_test, y_test) = datasets.load_digits()
        scale, rate, epochs, batch = 1, 0.001, 15, 32
    x, x_test = (a[..., np.newaxis].astype(np.float32) / scale for a in (x, x_test))
    set_random_seed(0)
    model = model_of(name)
    model.compile(optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
    files = {"full": {}, "int8": {"quantize": "int8", "calibration_data": x[:500]}}
    files |= {"half": {"dtype": "float16"}}
    results = {}
    for file, arguments in files.items():
        model.export(tmp_path / f"{file}.onnx", **arguments)
        bytes_ = weight_bytes(tmp_path / f"{file}.onnx")
        results[file] = accuracy(tmp_path / f"{file}.onnx", x_test, y_test), bytes_
    (full, bytes_), (int8, small), (half, narrow) = results.values()
    assert int8 >= full - 0.005
    assert small <= 0.27 * bytes_
    assert half >= full - 0.001
    assert narrow <= 0.501 * bytes_
