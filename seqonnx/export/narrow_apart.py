"""Weights of large models in fewer bits, one at a time: they lie apart from the model's message."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from seqonnx.export.forms import FORMS
from seqonnx.export.half import in_16_bits
from seqonnx.export.int4 import block_axes, in_blocks, size_of_blocks
from seqonnx.export.made_arrays import MadeArrays
from seqonnx.export.options import ExportOptions
from seqonnx.export.quantized_apart import quantize_apart
from seqonnx.graph.files import Arrays
from seqonnx.graph.mapped import read_array

Array = npt.NDArray[Any]


def narrow_apart(
    model: onnx.ModelProto, arrays: Arrays, options: ExportOptions
) -> tuple[onnx.ModelProto, MadeArrays]:
    """Let a model read its large weights from fewer bits.

    Args:
        model: the model; it is not changed.
        arrays: the weights that are not in its message, by name.
        options: `dtype` and `quantize`.

    Returns:
        The model, and what is to be written of the weights, by name.
    """
    made = MadeArrays(arrays)
    if options.quantize in ("int8", "int8_dynamic"):
        data = options.calibration_data
        return quantize_apart(model, made, str(options.quantize), data), made
    narrowed = onnx.ModelProto()
    narrowed.CopyFrom(model)
    if options.dtype is not None and not FORMS[options.dtype][1]:
        _in_half(narrowed.graph, made, FORMS[options.dtype][0].numpy())
    if options.quantize == "int4":
        _in_int4(narrowed.graph, made)
    return narrowed, made


def store_as_computed(graph: onnx.GraphProto, made: MadeArrays) -> None:
    """Make the large weights that a graph computes with in 16 bits what it says that they are."""
    for tensor in graph.initializer:
        narrow = tensor.data_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16)
        if narrow and made.is_given(tensor.name) and made[tensor.name].dtype == np.float32:
            dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
            made.change(tensor.name, tensor.name, partial(in_16_bits, dtype=dtype))


def _in_half(graph: onnx.GraphProto, made: MadeArrays, dtype: np.dtype[Any]) -> None:
    """A Cast after each weight, which is stored in 16 bits."""
    kept = {output.name for output in graph.output}
    casts = []
    for tensor in graph.initializer:
        name = tensor.name
        if name not in made or tensor.data_type != TensorProto.FLOAT or name in kept:
            continue
        tensor.name, tensor.data_type = (
            f"{name}.{dtype.name}",
            helper.np_dtype_to_tensor_dtype(dtype),
        )
        made.change(name, tensor.name, lambda array: array.astype(dtype))
        cast = helper.make_node("Cast", [tensor.name], [name], name=f"{name}/Cast")
        cast.attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
        casts.append(cast)
    _put_first(graph, casts)


def _in_int4(graph: onnx.GraphProto, made: MadeArrays) -> None:
    """DequantizeLinear after each weight of a product, which is stored in blocks of integers."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for name, axis in block_axes(graph):
        tensor = weights[name]
        if name not in made or tensor.data_type != TensorProto.FLOAT:
            continue
        block = size_of_blocks(tuple(tensor.dims), axis)
        if block is None:
            continue
        scale = graph.initializer.add()
        scale.CopyFrom(tensor)
        tensor.name, tensor.data_type = f"{name}.int4", TensorProto.INT4
        scale.name = f"{name}.scale"
        scale.dims[axis] = -(-tensor.dims[axis] // block)
        integers, scales = in_blocks(read_array(made[name]), axis, block)
        made.keep(name, {tensor.name: _packed(integers), scale.name: scales})
        dequantize = helper.make_node(
            "DequantizeLinear",
            [tensor.name, scale.name],
            [name],
            name=f"{name}/DequantizeLinear",
            axis=axis,
            block_size=block,
        )
        nodes.append(dequantize)
    _put_first(graph, nodes)


def _put_first(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Put nodes before all others."""
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)


def _packed(integers: Array) -> Array:
    """Two integers in a byte, the earlier one in the lower half, as the standard stores them."""
    flat = integers.astype(np.int8).reshape(-1)
    pairs = np.pad(flat, (0, flat.size % 2)).view(np.uint8) & 0x0F
    packed: Array = pairs[::2] | (pairs[1::2] << 4)
    return packed
