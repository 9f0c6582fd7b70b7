"""Tiny graphs, written with `onnx.helper`, for the tests of the runtime."""

from __future__ import annotations

import onnx
import pytest
from onnx import helper

from seqonnx.graph.versions import IR_VERSION, OPSET
from support.sessions import gpu

__all__ = ["affine", "gather", "gpu", "half_step", "make_model"]


def serialize(nodes, inputs, outputs):
    """A model file's bytes; inputs and outputs are `name: (dtype, shape)`."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
        [helper.make_tensor_value_info(name, *spec) for name, spec in outputs.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    ).SerializeToString()


@pytest.fixture
def make_model():
    return serialize


@pytest.fixture
def affine():
    """y = x @ w + b, and the sum of y; the number of rows is free."""
    return serialize(
        [
            helper.make_node("MatMul", ["x", "w"], ["xw"], name="dense/MatMul"),
            helper.make_node("Add", ["xw", "b"], ["y"], name="dense/Add"),
            helper.make_node("ReduceSum", ["y"], ["total"], name="loss/ReduceSum", keepdims=0),
        ],
        {
            "x": (onnx.TensorProto.FLOAT, ["rows", 3]),
            "w": (onnx.TensorProto.FLOAT, [3, 2]),
            "b": (onnx.TensorProto.FLOAT, [2]),
        },
        {
            "y": (onnx.TensorProto.FLOAT, ["rows", 2]),
            "total": (onnx.TensorProto.FLOAT, []),
        },
    )


@pytest.fixture
def gather():
    """A graph that fails at run time if an index is out of bounds."""
    return serialize(
        [helper.make_node("Gather", ["x", "i"], ["y"], name="dense/Gather")],
        {
            "x": (onnx.TensorProto.FLOAT, ["rows", 3]),
            "i": (onnx.TensorProto.INT64, ["picks"]),
        },
        {"y": (onnx.TensorProto.FLOAT, ["picks", 3])},
    )


@pytest.fixture
def half_step():
    """One step of gradient descent on w**2 / 2: state in, state out."""
    return serialize(
        [
            helper.make_node("Mul", ["w", "rate"], ["change"], name="sgd/Mul"),
            helper.make_node("Sub", ["w", "change"], ["new_w"], name="sgd/Sub"),
            helper.make_node("ReduceSumSquare", ["w"], ["loss"], name="loss/Square", keepdims=0),
        ],
        {"w": (onnx.TensorProto.FLOAT, [4]), "rate": (onnx.TensorProto.FLOAT, [])},
        {"new_w": (onnx.TensorProto.FLOAT, [4]), "loss": (onnx.TensorProto.FLOAT, [])},
    )
