"""A network made for one batch size takes any, or says where it cannot."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from seqonnx import layers


def network(body: str, shape: str, output: str, weights: str = "") -> onnx.ModelProto:
    """A model of opset 13; weights without a value are random."""
    model = onnx.parser.parse_model(
        f"""
        <ir_version: 8, opset_import: ["": 13]>
        net (float[{shape}] x) => (float[{output}] y) <{weights}> {{ {body} }}
        """
    )
    graph = model.graph
    computed = {name for node in graph.node for name in node.output}
    for value in [v for v in graph.value_info if v.name not in computed]:
        sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
        array = np.random.default_rng(0).normal(size=sizes).astype(np.float32)
        graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
        graph.value_info.remove(value)
    onnx.checker.check_model(model)
    return model


CASES = {
    "rows kept": (
        "a = Reshape(x, s)  y = MatMul(a, w)",
        "1, 2, 3",
        "1, 4",
        "int64[2] s = {1, 6}, float[6, 4] w",
    ),
    "rest derived": (
        "a = Reshape(x, s)  y = MatMul(a, w)",
        "1, 2, 3",
        "1, 4",
        "int64[2] s = {1, -1}, float[6, 4] w",
    ),
    "batch derived already": (
        "a = Reshape(x, s)  y = MatMul(a, w)",
        "1, 2, 3",
        "1, 4",
        "int64[2] s = {-1, 6}, float[6, 4] w",
    ),
    "merged and split again": (
        "a = Reshape(x, s)  b = MatMul(a, w)  y = Reshape(b, t)",
        "1, 2, 3",
        "1, 2, 4",
        "int64[2] s = {2, 3}, float[3, 4] w, int64[3] t = {1, 2, 4}",
    ),
    "weights reshaped, too": (
        "v = Reshape(w, s)  a = Flatten(x)  y = MatMul(a, v)",
        "1, 2, 3",
        "1, 4",
        "float[1, 24] w, int64[2] s = {6, 4}",
    ),
    "channels moved": (
        "a = Reshape(x, s)  b = Transpose<perm = [0, 2, 1, 3]>(a)  y = Reshape(b, t)",
        "1, 4, 3",
        "1, 4, 3",
        "int64[4] s = {1, 2, 2, 3}, int64[3] t = {1, 4, 3}",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_batch_of_one_becomes_any(name):
    model = network(*CASES[name])
    layer = layers.ONNXModel(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ((_, *sizes), _) = layer.signature["x"]
    x = np.random.default_rng(1).normal(size=(5, *sizes)).astype(np.float32)
    rows = [session.run(None, {"x": row[np.newaxis]})[0] for row in x]
    np.testing.assert_allclose(layer(x), np.concatenate(rows), rtol=1e-5, atol=1e-6)
    assert layer(layers.Input(sizes)).shape == (None, *rows[0].shape[1:])


def test_batch_of_four_becomes_any():
    model = network(
        "a = Reshape(x, s)  y = MatMul(a, w)",
        "4, 2, 3",
        "4, 5",
        "int64[2] s = {4, 6}, float[6, 5] w",
    )
    layer = layers.ONNXModel(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x = np.random.default_rng(1).normal(size=(8, 2, 3)).astype(np.float32)
    halves = [session.run(None, {"x": half})[0] for half in (x[:4], x[4:])]
    np.testing.assert_allclose(layer(x), np.concatenate(halves), rtol=1e-5, atol=1e-6)


def test_batch_lost_in_one_vector_is_named():
    model = network(
        "a = Reshape(x, s)  y = MatMul(a, w)",
        "1, 2, 3",
        "4",
        "int64[1] s = {6}, float[6, 4] w",
    )
    with pytest.raises(ValueError, match=r"made for one batch size, and the batch cannot be made"):
        layers.ONNXModel(model)


def test_rows_that_mix_are_named():
    model = network("m = ReduceMean<axes = [0], keepdims = 1>(x)  y = Add(x, m)", "1, 3", "1, 3")
    with pytest.raises(ValueError) as error:
        layers.ONNXModel(model)
    text = str(error.value)
    assert "rows computed together differ from the same rows computed alone" in text
    assert "The batch is lost at: ReduceMean" in text
    assert "Cut the network before that (`outputs=`)" in text


def test_network_cut_before_the_batch_is_lost_is_taken():
    model = network(
        "r = Relu(x)  m = ReduceMean<axes = [0], keepdims = 1>(r)  y = Add(x, m)", "1, 3", "1, 3"
    )
    layer = layers.ONNXModel(model, outputs="r")
    assert layer([[-1.0, 0.0, 1.0], [2.0, -2.0, 0.0]]).tolist() == [[0, 0, 1], [2, 0, 0]]


def test_free_batch_is_left_alone():
    model = network("m = ReduceMean<axes = [0], keepdims = 1>(x)  y = Sub(x, m)", "N, 3", "N, 3")
    x = np.array([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]], np.float32)
    assert layers.ONNXModel(model)(x).tolist() == [[-1, 0, 1], [1, 0, -1]]
