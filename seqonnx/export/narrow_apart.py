"""Weights of large models in fewer bits, one at a time: they are never all in memory.

They lie apart from the message of the model. What is written of one is made when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from seqonnx.export.forms import FORMS
from seqonnx.export.int4 import block_axes, in_blocks, size_of_blocks
from seqonnx.export.options import ExportOptions
from seqonnx.graph.files import Arrays
from seqonnx.graph.mapped import chunks_of

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Made(Mapping[str, Array]):
    """Arrays, some of which are made of others, in 16 bits when they are asked for.

    Args:
        arrays: those that are there.
        halved: for a name the array that it is made of, and its dtype.
        kept: what is small enough to be made once.
        spent: names of arrays that others are made of.
    """

    arrays: Arrays
    halved: dict[str, tuple[str, np.dtype[Any]]] = field(default_factory=dict)
    kept: dict[str, Array] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> Array:
        if name in self.kept:
            return self.kept[name]
        if name not in self.halved:
            return self.arrays[name]
        source, dtype = self.halved[name]
        return _read(self.arrays[source]).astype(dtype)

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self.arrays if name not in self.spent)
        yield from (*self.halved, *self.kept)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def can_narrow_apart(options: ExportOptions) -> bool:
    """Return whether weights may stay apart while they are stored in fewer bits.

    That is so where weights alone change, and no drift is measured.
    """
    if options.dtype is None and options.quantize is None:
        return True
    alone = options.dtype is None or not FORMS[options.dtype][1]
    return alone and options.quantize in (None, "int4") and options.calibration_data is None


def narrow_apart(model: onnx.ModelProto, arrays: Arrays, options: ExportOptions) -> Arrays:
    """Let a model read its large weights from fewer bits.

    Args:
        model: the model; it is changed.
        arrays: the weights that are not in its message, by name.
        options: `dtype` and `quantize`.

    Returns:
        What is to be written of the weights, by name.
    """
    made = _Made(arrays)
    if options.dtype is not None:
        _in_half(model.graph, made, FORMS[options.dtype][0].numpy())
    if options.quantize == "int4":
        _in_int4(model.graph, made)
    return made


def _in_half(graph: onnx.GraphProto, made: _Made, dtype: np.dtype[Any]) -> None:
    """A Cast after each weight, which is stored in 16 bits."""
    kept = {output.name for output in graph.output}
    casts = []
    for tensor in graph.initializer:
        name = tensor.name
        if name not in made.arrays or tensor.data_type != TensorProto.FLOAT or name in kept:
            continue
        tensor.name, tensor.data_type = (
            f"{name}.{dtype.name}",
            helper.np_dtype_to_tensor_dtype(dtype),
        )
        made.halved[tensor.name] = name, dtype
        made.spent.add(name)
        cast = helper.make_node("Cast", [tensor.name], [name], name=f"{name}/Cast")
        cast.attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
        casts.append(cast)
    _put_first(graph, casts)


def _in_int4(graph: onnx.GraphProto, made: _Made) -> None:
    """DequantizeLinear after each weight of a product, which is stored in blocks of integers."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for name, axis in block_axes(graph):
        tensor = weights[name]
        if name not in made.arrays or tensor.data_type != TensorProto.FLOAT:
            continue
        block = size_of_blocks(tuple(tensor.dims), axis)
        if block is None:
            continue
        scale = graph.initializer.add()
        scale.CopyFrom(tensor)
        tensor.name, tensor.data_type = f"{name}.int4", TensorProto.INT4
        scale.name = f"{name}.scale"
        scale.dims[axis] = -(-tensor.dims[axis] // block)
        integers, scales = in_blocks(_read(made.arrays[name]), axis, block)
        made.kept.update({tensor.name: _packed(integers), scale.name: scales})
        made.spent.add(name)
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


def _read(array: Array) -> Array:
    """A copy of an array; what lies in a file is read from there, not mapped."""
    content = bytearray()
    for chunk in chunks_of(array):
        content += chunk
    return np.frombuffer(content, array.dtype).reshape(array.shape)


def _packed(integers: Array) -> Array:
    """Two integers in a byte, the earlier one in the lower half, as the standard stores them."""
    flat = integers.astype(np.int8).reshape(-1)
    pairs = np.pad(flat, (0, flat.size % 2)).view(np.uint8) & 0x0F
    packed: Array = pairs[::2] | (pairs[1::2] << 4)
    return packed
