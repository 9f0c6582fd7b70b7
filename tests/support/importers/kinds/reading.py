"""Texts of networks as models whose weights are small numbers around 0."""

from __future__ import annotations

import zlib

import numpy as np
import onnx


def model_of(text: str) -> tuple[onnx.ModelProto, list[str]]:
    """Return the model of a text, and the names of its weights: what is declared without values."""
    model = onnx.parser.parse_model(text)
    graph = model.graph
    computed = {name for node in graph.node for name in node.output}
    weights = [value for value in graph.value_info if value.name not in computed]
    for value in weights:
        kind = value.type.tensor_type
        shape = [d.dim_value for d in kind.shape.dim]
        rng = np.random.default_rng(zlib.crc32(value.name.encode()))
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        array = rng.normal(size=shape).astype(dtype) * dtype.type(0.5)
        if value.name == "variance":
            array = abs(array) + 1
        graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
        graph.value_info.remove(value)
    return model, [value.name for value in weights]
