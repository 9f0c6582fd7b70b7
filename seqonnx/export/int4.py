"""Weights in 4 bits: integers from -7 to 7 in blocks, each with a scale, and computation in float.

The standard has such blocks from operator set 21 on (DequantizeLinear with `block_size`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import ml_dtypes
import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

_BLOCK: Final = 32
"""Numbers that share a scale: 4 bits and a 32nd of a float32 make 0.16 of the bytes."""
_LEAST: Final = 1024
"""Number of elements from which a weight is stored so."""
_LARGEST: Final = 7


def store_in_int4(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model whose large weights are in 4 bits.

    Args:
        model: a model of float32 in operator set 21 or above. Weights of MatMul, Gemm and Conv are
            in blocks along the axis that is summed over, those of Gather along the last.

    Raises:
        ValueError: if no weight is large enough.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for name, axis in block_axes(graph):
        tensor = weights[name]
        if tensor.data_type != TensorProto.FLOAT or tensor.data_location == TensorProto.EXTERNAL:
            continue
        block = size_of_blocks(tuple(tensor.dims), axis)
        if block is None:
            continue
        integers, scales = in_blocks(numpy_helper.to_array(tensor), axis, block)
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(integers, f"{name}.int4"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scale"))
        nodes.append(
            helper.make_node(
                "DequantizeLinear",
                [f"{name}.int4", f"{name}.scale"],
                [name],
                name=f"{name}/DequantizeLinear",
                axis=axis,
                block_size=block,
            )
        )
    if len(nodes) == 0 and not any(t.data_type == TensorProto.INT4 for t in weights.values()):
        raise ValueError(
            f"No weight of MatMul, Gemm, Conv or Gather has {_LEAST} elements or more, so there is "
            'nothing to store in 4 bits. Received: quantize="int4"'
        )
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)
    return made


def size_of_blocks(shape: Sequence[int], axis: int) -> int | None:
    """Return how many numbers share a scale; None where a weight is too small to gain.

    Args:
        shape: shape of the weight.
        axis: the axis of the blocks.
    """
    if math.prod(shape) < _LEAST or shape[axis] < _BLOCK // 2:
        return None
    return min(_BLOCK, shape[axis])


def block_axes(graph: onnx.GraphProto) -> Iterator[tuple[str, int]]:
    """Yield the names of the weights of products, each once, with the axis of its blocks."""
    known = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    taken: set[str] = set()
    for node in graph.node:
        place = {"MatMul": 1, "Gemm": 1, "Conv": 1, "Gather": 0}.get(node.op_type)
        if place is None or node.domain or node.input[place] not in known:
            continue
        name = node.input[place]
        rank = known[name]
        if rank < 2 or name in taken:
            continue
        taken.add(name)
        turned = any(a.name == "transB" and a.i == 1 for a in node.attribute)
        axis = {"MatMul": rank - 2, "Gemm": 1 if turned else 0, "Conv": 1, "Gather": rank - 1}
        yield name, axis[node.op_type]


def in_blocks(
    array: npt.NDArray[Any], axis: int, block: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32]]:
    """Return integers, and a scale for each block along an axis.

    Args:
        array: a weight.
        axis: the axis of the blocks.
        block: numbers in a block.
    """
    moved = np.moveaxis(array, axis, -1)
    size = moved.shape[-1]
    count = -(-size // block)
    padded = np.pad(moved, [*[(0, 0)] * (array.ndim - 1), (0, count * block - size)])
    parts = padded.reshape(*moved.shape[:-1], count, block)
    scales = np.abs(parts).max(axis=-1) / _LARGEST
    scales = np.where(scales > 0, scales, 1).astype(np.float32)
    integers = np.round(parts / scales[..., None]).reshape(padded.shape)[..., :size]
    stored = np.moveaxis(integers, -1, axis).astype(np.int8).astype(ml_dtypes.int4)
    return stored, np.asarray(np.moveaxis(scales, -1, axis), order="C")
