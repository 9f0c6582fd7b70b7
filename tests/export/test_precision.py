"""Files of 16 bits: weights, or weights and computation."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from seqonnx import Input, Model, Sequential, layers
from seqonnx.export.options import ExportOptions
from seqonnx.export.precision import change_precision

MODELS = Path(__file__).resolve().parents[2] / "models"
FLOATS = {TensorProto.FLOAT16: 2, TensorProto.BFLOAT16: 2, TensorProto.FLOAT: 4}


def model_of(name):
    return runpy.run_path(str(MODELS / f"{name}.py"))["build"]()


def run(path, feeds):
    return onnxruntime.InferenceSession(path).run(None, feeds)


def feeds_of(path):
    rng = np.random.default_rng(0)
    feeds = {}
    for value in onnx.load(path).graph.input:
        kind = value.type.tensor_type
        shape = [d.dim_value or 3 for d in kind.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
        floats = dtype.kind == "f"
        feeds[value.name] = (rng.random(shape) if floats else rng.integers(0, 5, shape)).astype(
            dtype
        )
    return feeds


def float_bytes(path):
    return sum(
        int(np.prod(t.dims)) * FLOATS[t.data_type]
        for t in onnx.load(path).graph.initializer
        if t.data_type in FLOATS
    )


@pytest.mark.parametrize("dtype", ["float16", "float16_weights", "bfloat16_weights"])
@pytest.mark.parametrize("name", ["mnist_cnn", "digits_cnn", "character_lstm", "transformer"])
def test_file_has_half_the_weights_and_nearly_the_values(name, dtype, tmp_path):
    model = model_of(name)
    model.export(tmp_path / "full.onnx")
    model.export(tmp_path / "half.onnx", dtype=dtype)
    onnx.checker.check_model(onnx.load(tmp_path / "half.onnx"), full_check=True)
    assert float_bytes(tmp_path / "half.onnx") <= 0.51 * float_bytes(tmp_path / "full.onnx")
    feeds = feeds_of(tmp_path / "full.onnx")
    (full,), (half,) = (run(tmp_path / f"{kind}.onnx", feeds) for kind in ("full", "half"))
    assert half.dtype == np.float32
    bound = 2**-6 if dtype.startswith("bf") else 2**-9
    assert np.abs(half - full).max() <= bound * np.abs(full).max()


def test_inputs_and_outputs_take_the_dtype_where_they_may(tmp_path):
    model = model_of("digits_cnn")
    model.export(tmp_path / "m.onnx", dtype="float16", keep_io=False)
    graph = onnx.load(tmp_path / "m.onnx").graph
    kinds = [v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)]
    assert kinds == [TensorProto.FLOAT16, TensorProto.FLOAT16]
    feeds = feeds_of(tmp_path / "m.onnx")
    (y,) = run(tmp_path / "m.onnx", feeds)
    (x,) = feeds.values()
    np.testing.assert_allclose(y, model.predict(x.astype(np.float32), verbose=0), atol=2e-3)


def test_computation_is_in_the_dtype_and_sums_and_exponentials_are_not(tmp_path):
    model_of("mnist_cnn").export(tmp_path / "m.onnx", dtype="float16")
    model = onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "m.onnx"))
    values = (*model.graph.value_info, *model.graph.output)
    kinds = {v.name: v.type.tensor_type.elem_type for v in values}
    for node in model.graph.node:
        wide = (
            node.op_type == "Softmax"
            or node.name.startswith("dense.")
            or node.output[0]
            in (v for n in model.graph.node if n.op_type == "Softmax" for v in n.input)
        )
        assert kinds[node.output[0]] == (TensorProto.FLOAT if wide else TensorProto.FLOAT16)


def test_bfloat16_computation_is_valid_where_nothing_runs_it(tmp_path):
    """ONNX Runtime has no kernels of bfloat16 for the CPU."""
    model_of("mnist_cnn").export(tmp_path / "m.onnx", dtype="bfloat16")
    model = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(model, full_check=True)
    large = {t.data_type for t in model.graph.initializer if np.prod(t.dims) > 8}
    assert large == {TensorProto.BFLOAT16}


def made(nodes, initializers, shape=("b", 4, 6)):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in initializers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def converted(model, x, **options):
    given = ExportOptions(dtype="float16", **options)
    half = change_precision(model, given)
    onnx.checker.check_model(half, full_check=True)
    (full,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    (narrow,) = onnxruntime.InferenceSession(half.SerializeToString()).run(None, {"x": x})
    return full, narrow


X = np.random.default_rng(2).normal(size=(2, 4, 6)).astype(np.float32)


def test_numbers_beyond_the_range_stay_finite_and_an_epsilon_does_not_vanish():
    nodes = [
        helper.make_node("Add", ["x", "mask"], ["m"]),
        helper.make_node("Softmax", ["m"], ["s"]),
        helper.make_node("Div", ["s", "tiny"], ["y"]),
    ]
    mask = np.array([0, 0, -1e9, 0, 0, -1e9], np.float32)
    model = made(nodes, {"mask": mask, "tiny": np.float32(1e-12)})
    _, narrow = converted(model, X)
    assert not np.isnan(narrow).any()


def test_transposed_batch_before_a_product_does_not_end_the_process():
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["t", "w"], ["y"]),
    ]
    full, narrow = converted(made(nodes, {"w": np.ones((6, 3), np.float32)}), X)
    np.testing.assert_allclose(narrow, full, atol=1e-2)


def test_body_reads_what_it_takes_from_outside_in_float32():
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "row"], ["sum"]),
            helper.make_node("MatMul", ["sum", "w"], ["next"]),
            helper.make_node("Identity", ["next"], ["out"]),
        ],
        "body",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, 6]) for n in ("state", "row")],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, 6]) for n in ("next", "out")],
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Scan", ["zero", "r"], ["last", "y"], body=body, num_scan_inputs=1),
    ]
    weights = {"w": np.eye(6, dtype=np.float32) * 0.5, "zero": np.zeros((4, 6), np.float32)}
    full, narrow = converted(made(nodes, weights), X)
    np.testing.assert_allclose(narrow, full, atol=1e-2)


def test_tensor_that_is_input_and_output_or_used_twice():
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Add", ["r", "r"], ["a"]),
        helper.make_node("Cast", ["a"], ["i"], to=TensorProto.INT32),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ConstantOfShape", ["shape"], ["c"]),
        helper.make_node("Sum", ["f", "a", "c"], ["y"]),
    ]
    full, narrow = converted(made(nodes, {"shape": np.array([6])}), X)
    np.testing.assert_allclose(narrow, full, atol=2e-2)


def test_integers_and_several_outputs_keep_their_dtypes(tmp_path):
    x = Input((3,), dtype="int32", name="codes")
    rows = layers.Embedding(5, 4)(x)
    model = Model(x, [rows, layers.Dense(2)(rows)])
    model.export(tmp_path / "m.onnx", dtype="float16")
    codes = np.array([[0, 1, 4]], np.int32)
    for have, want in zip(run(tmp_path / "m.onnx", {"codes": codes}), model(codes), strict=True):
        np.testing.assert_allclose(have, want, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"dtype": "half"}, r'`dtype` must be one of "float16", .* Received: dtype=\'half\''),
        ({"dtype": "float16_weights", "keep_io": False}, "`keep_io=False` has no meaning where on"),
    ],
)
def test_other_dtypes_are_refused(arguments, text, tmp_path):
    with pytest.raises(ValueError, match=text):
        Sequential([Input((4,)), layers.Dense(2)]).export(tmp_path / "m.onnx", **arguments)
    assert list(tmp_path.iterdir()) == []
