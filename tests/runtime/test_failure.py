"""A failure is told in the user's terms: layer, operator, input, received and expected."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from seqonnx.errors import ExecutionError
from seqonnx.graph.reading import is_gradient, layer_of
from seqonnx.runtime import CPU, DeviceArray, Session, emitted_name, failure

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
X = np.zeros((4, 3), np.float32)


def run_refusal(session, feeds):
    with pytest.raises(ExecutionError) as caught:
        session.run(feeds)
    assert caught.value.__cause__ is not None
    return str(caught.value)


def load_refusal(model, name=""):
    with pytest.raises(ExecutionError) as caught:
        Session(model, CPU, name=name)
    assert caught.value.__cause__ is not None
    return str(caught.value)


def test_failing_node_is_named_with_layer_operator_and_shapes(gather):
    text = run_refusal(Session(gather, CPU, name="step"), {"x": X, "i": np.array([9])})
    assert text.startswith(
        "ONNX Runtime failed while running graph 'step' at node 'dense/Gather' (operator Gather) "
        "of layer 'dense': indices element out of data bounds, idx=9"
    )
    assert text.endswith("Inputs of the run: x: float32 of shape (4, 3); i: int64 of shape (1,).")


def test_failing_node_of_a_binding_is_named_too(gather):
    arrays = {
        name: DeviceArray.from_numpy(a, CPU) for name, a in {"x": X, "i": np.array([9])}.items()
    }
    binding = Session(gather, CPU).bind(arrays, {"y": None})
    with pytest.raises(
        ExecutionError, match=r"'dense/Gather' \(operator Gather\) of layer 'dense'"
    ):
        binding.run()


def test_reason_comes_without_source_positions(make_model):
    model = make_model(
        [helper.make_node("Reshape", ["x", "shape"], ["y"], name="flatten/Reshape")],
        {"x": (FLOAT, ["rows", 3]), "shape": (INT64, [2])},
        {"y": (FLOAT, None)},
    )
    text = run_refusal(Session(model, CPU), {"x": X, "shape": np.array([5, 7])})
    assert "of layer 'flatten': " in text
    assert "Input shape:{4,3}, requested shape:{5,7}." in text
    assert ".h:" not in text
    assert "::" not in text


def test_gradient_node_is_traced_to_its_layer(make_model):
    model = make_model(
        [helper.make_node("Gather", ["x", "i"], ["y"], name="grad/block/embedding/Gather")],
        {"x": (FLOAT, [4, 3]), "i": (INT64, [1])},
        {"y": (FLOAT, [1, 3])},
    )
    text = run_refusal(Session(model, CPU), {"x": X, "i": np.array([9])})
    assert "of the gradient of layer 'block/embedding'" in text


def test_node_in_a_body_is_named_rather_than_the_scan_around_it(make_model):
    body = helper.make_graph(
        [helper.make_node("Gather", ["row", "pick"], ["out"], name="rnn/cell/Gather")],
        "body",
        [
            helper.make_tensor_value_info("row", FLOAT, [3]),
            helper.make_tensor_value_info("pick", INT64, [1]),
        ],
        [helper.make_tensor_value_info("out", FLOAT, [1])],
    )
    scan = helper.make_node("Scan", ["x", "i"], ["y"], "rnn/Scan", num_scan_inputs=2, body=body)
    model = make_model([scan], {"x": (FLOAT, [4, 3]), "i": (INT64, [4, 1])}, {"y": (FLOAT, [4, 1])})
    text = run_refusal(Session(model, CPU), {"x": X, "i": np.full((4, 1), 9)})
    assert "at node 'rnn/cell/Gather' (operator Gather) of layer 'rnn/cell'" in text


@pytest.mark.parametrize(
    ("feed", "received"),
    [
        (np.zeros((4, 5), np.float32), r"float32 of shape (4, 5)"),
        (np.zeros(3, np.float32), r"float32 of shape (3,)"),
        (np.zeros((4, 3), np.float64), r"float64 of shape (4, 3)"),
        (np.array([["a", "b", "c"]]), r"string of shape (1, 3)"),
    ],
)
def test_wrong_feed_is_told_with_received_and_expected(gather, feed, received):
    text = run_refusal(Session(gather, CPU, name="step"), {"x": feed, "i": np.array([0])})
    assert text == (
        f"Wrong inputs for graph 'step': input 'x' received {received}, "
        "expected float32 of shape (rows, 3)."
    )


def test_missing_and_unknown_feeds_are_told_together(gather):
    text = run_refusal(Session(gather, CPU), {"x": X, "index": np.array([0])})
    assert text == (
        "Wrong inputs for the graph: input 'i' is missing, expected int64 of shape (picks,); "
        "there is no input 'index'; there are ['x', 'i']."
    )


def test_unknown_output_is_told_with_the_known_ones(gather):
    with pytest.raises(ExecutionError, match=r"There is no output \['z'\].*there are \['y'\]"):
        Session(gather, CPU).run({"x": X, "i": np.array([0])}, ["z"])


def test_long_list_of_inputs_is_cut_short(make_model):
    inputs = {f"x{k}": (FLOAT, ["n"]) for k in range(12)}
    model = make_model(
        [helper.make_node("Sum", list(inputs), ["y"], name="add/Sum")],
        inputs,
        {"y": (FLOAT, ["n"])},
    )
    feeds = {name: np.zeros(k + 2, np.float32) for k, name in enumerate(inputs)}
    text = run_refusal(Session(model, CPU), feeds)
    assert "'add/Sum'" in text
    assert text.endswith("x7: float32 of shape (9,); and 4 more.")


def test_node_without_a_kernel_is_named_at_load(make_model):
    double = onnx.TensorProto.DOUBLE
    model = make_model(
        [helper.make_node("Erf", ["x"], ["y"], name="gelu/Erf")],
        {"x": (double, [2])},
        {"y": (double, [2])},
    )
    text = load_refusal(model, "eval")
    assert text.startswith(
        "ONNX Runtime cannot load graph 'eval' at node 'gelu/Erf' (operator Erf) of layer 'gelu': "
        "Could not find an implementation"
    )


def test_node_of_a_wrong_type_is_named_at_load(make_model):
    int32 = onnx.TensorProto.INT32
    model = make_model(
        [helper.make_node("Cos", ["x"], ["y"], name="act/Cos")],
        {"x": (int32, [2])},
        {"y": (int32, [2])},
    )
    text = load_refusal(model)
    assert "the graph at node 'act/Cos' (operator Cos) of layer 'act': " in text
    assert "tensor(int32)" in text


def test_node_of_a_wrong_shape_is_named_at_load(make_model):
    model = make_model(
        [helper.make_node("MatMul", ["x", "x"], ["y"], name="dense/MatMul")],
        {"x": (FLOAT, [2, 3])},
        {"y": (FLOAT, [2, 3])},
    )
    text = load_refusal(model)
    assert "at node 'dense/MatMul' (operator MatMul) of layer 'dense': " in text
    assert "Incompatible dimensions for matrix multiplication." in text


def test_message_that_names_no_node_is_passed_on():
    error = failure.load_error(RuntimeError("out of memory"), "the graph")
    assert str(error) == "ONNX Runtime cannot load the graph: out of memory."


def test_unnamed_node_is_told_by_its_operator():
    message = "Non-zero status code returned while running Relu node. Name:'' Status Message: no"
    error = failure.run_error(RuntimeError(message), "the graph", [], {})
    assert "the graph at an unnamed Relu node: no. Inputs of the run: none." in str(error)


@pytest.mark.parametrize(
    ("reported", "node", "layer"),
    [
        ("dense/MatMul", "dense/MatMul", "dense"),
        ("fused dense/MatMul/MatMulAddFusion", "dense/MatMul", "dense"),
        ("grad/dense/MatMul/MatmulTransposeFusion/", "grad/dense/MatMul", "dense"),
        ("conv2d/Conv_nchwc", "conv2d/Conv", "conv2d"),
        ("block/conv2d/Conv", "block/conv2d/Conv", "block/conv2d"),
        ("grad/dense/MatMul", "grad/dense/MatMul", "dense"),
        ("grad2/dense/MatMul", "grad2/dense/MatMul", "dense"),
        ("ReorderInput", "ReorderInput", ""),
        ("", "", ""),
    ],
)
def test_reported_name_leads_to_node_and_layer(reported, node, layer):
    assert emitted_name(reported) == node
    assert layer_of(node) == layer
    assert is_gradient(node) == node.startswith("grad")
