"""A recurrent classifier as an ONNX file written by hand: the yardstick of its inference."""

from __future__ import annotations

import bench_specs as specs
import numpy as np
import onnx
from bench_workloads import Workload
from onnx import TensorProto, helper, numpy_helper

OPSET = 22
IR = 10
_ONNX_GATES = (0, 3, 1, 2)
"""Where ONNX's gates (input, output, forget, cell) stand in Keras's order."""


def covers(workload: Workload) -> bool:
    """Whether a workload is inference of an embedding, an LSTM and a dense layer."""
    kinds = [type(spec) for spec in workload.stack]
    return workload.task == "predict" and kinds == [specs.Embedding, specs.Lstm, specs.Dense]


def written(workload: Workload) -> onnx.ModelProto:
    """The model: a Gather, a Transpose, an LSTM and a Gemm.

    Args:
        workload: one that `covers` says yes to.
    """
    embedding, lstm, dense = workload.weights()
    _, layer, _ = workload.stack
    assert isinstance(layer, specs.Lstm)
    arrays = {
        "table": embedding["embeddings"],
        "w": gates(lstm["kernel"].T)[None],
        "r": gates(lstm["recurrent"].T)[None],
        "b": np.concatenate([gates(lstm["bias"]), np.zeros_like(lstm["bias"])])[None],
        "kernel": dense["kernel"],
        "bias": dense["bias"],
        "first": np.array([0]),
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["steps"], perm=[1, 0]),
        helper.make_node("Gather", ["table", "steps"], ["words"]),
        helper.make_node("LSTM", ["words", "w", "r", "b"], ["", "h"], hidden_size=layer.units),
        helper.make_node("Squeeze", ["h", "first"], ["last"]),
        helper.make_node("Gemm", ["last", "kernel", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "written",
        [helper.make_tensor_value_info("x", TensorProto.INT32, ["batch", *workload.given])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", workload.classes])],
        [numpy_helper.from_array(np.array(a, order="C"), name) for name, a in arrays.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR)


def gates(array: specs.Array) -> specs.Array:
    """The parts along the first axis in ONNX's order."""
    parts = np.split(array, 4)
    return np.concatenate([parts[i] for i in _ONNX_GATES])
