"""Depthwise and pointwise convolutions on small maps, as matrix products over all images.

ONNX Runtime's CPU provider computes convolutions image by image, depthwise ones also channel by
channel; on a map of 6 x 6 the calls cost more than the arithmetic. A channel's convolution is
linear in its map: a matrix with a row for each place of the input and a column for each place of
the output (a Toeplitz matrix, made from the kernel by a constant product) takes the maps of all
images at once. A pointwise convolution is a product with the pixels of all images. Measured at
6 x 6, 728 channels, batch 8: 0.4 and 0.9 of the time; pointwise at 3 x 3, 1536 channels: 0.65.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.reading import is_op, known_sizes
from seqonnx.lowering.replacing import replace_node

_PLACES = 256
"""Most entries of a channel's matrix for each image that shares it (measured: at 160 it wins, at
600 it loses)."""

_LARGEST = 2**21
"""Most entries of all matrices, so that they stay in the cache."""

_FEWER = 4
"""How many times as many weights as pixels of an image, those of input and output together, a
pointwise convolution must have."""

_TYPES = (ir.DataType.FLOAT, ir.DataType.DOUBLE)


def multiply_small_maps(graph: ir.Graph) -> None:
    """Replace depthwise and pointwise convolutions on small maps by matrix products, in place.

    Only where all sizes are known, and for depthwise ones the matrices are small beside the batch.
    Of use on the CPU provider, which has faster convolutions of its own for constant weights: those
    are left alone.

    Args:
        graph: graph to change; outputs keep their names.

    Example:
        >>> op = Emitter()
        >>> x, w = op.input("x", "float32", (8, 3, 4, 4)), op.input("w", "float32", (3, 1, 3, 3))
        >>> _ = op.output(op.Conv(x, w, group=3, pads=[1, 1, 1, 1]), "y")
        >>> multiply_small_maps(op.graph)
        >>> [node.op_type for node in op.graph]
        ['Reshape', 'MatMul', 'Reshape', 'Transpose', 'Reshape', 'MatMul', 'Reshape', 'Transpose']
    """
    op = Emitter(graph)
    tables: dict[_Geometry, ir.Value] = {}
    for node in list(graph):
        weights = node.inputs[1] if is_op(node, "Conv") else None
        if weights is None or weights.is_initializer() or weights.dtype not in _TYPES:
            continue
        geometry = _geometry(node)
        if geometry is not None:
            replace_node(op, node, partial(_multiply, geometry=geometry, tables=tables))
        elif is_small_pointwise(node):
            replace_node(op, node, _mix)


@dataclass(frozen=True)
class _Geometry:
    """A convolution's sizes along the spatial axes, and its dtype."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    dtype: ir.DataType

    @property
    def places(self) -> tuple[int, int]:
        """Places of a map of the input, and of the output."""
        return math.prod(self.inputs), math.prod(self.outputs)

    def table(self) -> npt.NDArray[np.generic]:
        """Which element of the kernel leads from which place to which: (elements, places).

        It is the product of one such table for each axis.
        """
        table = np.ones((1, 1, 1), self.dtype.numpy())
        for axis, (size, count) in enumerate(zip(self.inputs, self.outputs, strict=True)):
            along = np.zeros((self.kernel[axis], size, count), table.dtype)
            for tap, result in product(range(self.kernel[axis]), range(count)):
                place = result * self.strides[axis] + tap * self.dilations[axis] - self.before[axis]
                if 0 <= place < size:
                    along[tap, place, result] = 1
            table = np.kron(table, along)
        return table.reshape(len(table), -1)


def _geometry(node: ir.Node) -> _Geometry | None:
    """The geometry of a depthwise convolution that is to be replaced; None for others."""
    if node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        return None
    x, w, y = (known_sizes(value) or () for value in (*node.inputs[:2], node.outputs[0]))
    attributes, dtype = node.attributes, node.outputs[0].dtype
    group = attributes.get_int("group", 1)
    if min(len(x), len(w), len(y)) < 3 or not x[1] == y[1] == w[0] == group > 1:
        return None
    entries = math.prod(x[2:] + y[2:])
    if dtype is None or entries > _PLACES * x[0] or entries * group > _LARGEST:
        return None
    ones = (1,) * (len(x) - 2)
    strides, dilations = (
        tuple(attributes.get_ints(name, ones) or ones) for name in ("strides", "dilations")
    )
    before = tuple(attributes.get_ints("pads", ()) or (0,) * len(ones))[: len(ones)]
    return _Geometry(x[2:], y[2:], w[2:], strides, dilations, before, dtype)


def _multiply(
    op: Emitter, node: ir.Node, geometry: _Geometry, tables: dict[_Geometry, ir.Value]
) -> list[ir.Value]:
    """Emit the product of each channel's maps with its matrix, and the bias."""
    x, w, *rest = node.inputs
    batch, channels, *_ = known_sizes(x) or ()
    if geometry not in tables:
        tables[geometry] = op.constant(geometry.table())
    kernels = op.Reshape(w, np.array([channels, -1]))
    entries = op.MatMul(kernels, tables[geometry])
    matrices = op.Reshape(entries, np.array([channels, *geometry.places]))
    swap = [1, 0, *range(2, len(geometry.inputs) + 2)]
    maps = op.Reshape(op.Transpose(x, perm=swap), np.array([channels, batch, geometry.places[0]]))
    made = op.Reshape(op.MatMul(maps, matrices), np.array([channels, batch, *geometry.outputs]))
    y = op.Transpose(made, perm=swap)
    for bias in rest:
        y = op.Add(y, op.Reshape(bias, np.array([channels, *(1 for _ in geometry.outputs)])))
    y.shape = node.outputs[0].shape
    return [y]


def is_small_pointwise(node: ir.Node) -> bool:
    """Whether a convolution is pointwise, with many more weights than pixels."""
    x, w, y = (known_sizes(value) or () for value in (*node.inputs[:2], node.outputs[0]))
    padded = any(node.attributes.get_ints("pads", ()) or ())
    if len(x) < 3 or x[2:] != y[2:] or w[1] != x[1] or padded or any(k != 1 for k in w[2:]):
        return False
    return x[0] > 1 and _FEWER * math.prod(x[2:]) * (x[1] + y[1]) <= x[1] * y[1]


def _mix(op: Emitter, node: ir.Node) -> list[ir.Value]:
    """Emit one product of the weights with the pixels of all images."""
    x, w, *rest = node.inputs
    batch, channels, *space = known_sizes(x) or ()
    filters, *_ = known_sizes(w) or ()
    swap = [1, 0, *range(2, len(space) + 2)]
    pixels = op.Reshape(op.Transpose(x, perm=swap), np.array([channels, -1]))
    made = op.MatMul(op.Reshape(w, np.array([filters, channels])), pixels)
    y = op.Transpose(op.Reshape(made, np.array([filters, batch, *space])), perm=swap)
    for bias in rest:
        y = op.Add(y, op.Reshape(bias, np.array([filters, *(1 for _ in space)])))
    y.shape = node.outputs[0].shape
    return [y]
