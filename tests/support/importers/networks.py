"""Small networks as other programs write them, and what plain ONNX Runtime makes of them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime

CONV = """
    <ir_version: 8, opset_import: ["": 13]>
    net (float[N, 2, 6, 6] image) => (float[N, 3] scores)
    <float[4, 2, 3, 3] kernel, float[4] scale, float[4] shift, float[4] mean, float[4] variance,
     float[4, 3] head, float two = {2}, float[4] unused = {0, 0, 0, 0}, int64[2] axes = {2, 3},
     float low = {0}, float high = {6}> {
        c = Conv(image, kernel)
        b = BatchNormalization(c, scale, shift, mean, variance)
        r = Clip(b, low, high)
        squared = Pow(r, two)
        pooled = ReduceSum<keepdims = 0>(squared, axes)
        scores = MatMul(pooled, head)
    }
"""


def parsed(text: str, seed: int = 0) -> onnx.ModelProto:
    """A model from text; what no node computes becomes a weight of random values."""
    model = onnx.parser.parse_model(text)
    graph = model.graph
    computed = {name for node in graph.node for name in node.output}
    rng = np.random.default_rng(seed)
    for value in [v for v in graph.value_info if v.name not in computed]:
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
        array = rng.uniform(0.2, 1.0, shape).astype(np.float32)
        graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
        graph.value_info.remove(value)
    onnx.checker.check_model(model)
    return model


def plain(model: onnx.ModelProto | str, *arrays: np.ndarray) -> list[np.ndarray]:
    """Plain ONNX Runtime's results."""
    content = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


TWO = """
    <ir_version: 8, opset_import: ["": 13]>
    net (float[N, 3] a, float[N, 4] b) => (float[N, 7] y) <float[4] w> {
        scaled = Mul(b, w)
        y = Concat<axis = 1>(a, scaled)
    }
"""
