"""Sizes of tensors: integers where the graph knows them, else read when it runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.dtypes import plain_value
from seqonnx.graph import Dim, Emitter, static_shape
from seqonnx.graph.reading import constant_ints


@dataclass(frozen=True)
class FreeSize:
    """A size that is known only when the graph runs; no node before it is used.

    Args:
        tensor: the value whose size it is.
        axis: the axis.
    """

    tensor: ir.Value
    axis: int

    @property
    def name(self) -> Dim:
        """Name in the graph."""
        return static_shape(self.tensor)[self.axis]


Size = int | ir.Value | FreeSize
"""An integer, a scalar of the graph, or a size that is read when it is needed."""


def sizes_of(x: ir.Value) -> list[Size]:
    """Return the sizes of a value."""
    return [size_of(x, axis) for axis in range(len(static_shape(x)))]


def size_of(x: ir.Value, axis: int) -> Size:
    """Return the size of an axis."""
    size = static_shape(x)[axis]
    return size if isinstance(size, int) else FreeSize(x, axis % len(static_shape(x)))


def given_sizes(shape: Any) -> list[Size]:
    """Return a shape that the user gave as sizes.

    Args:
        shape: an integer, a scalar of the graph, or a sequence of these.
    """
    shape = plain_value(shape)
    parts = shape if isinstance(shape, list | tuple) else [shape]
    return [part if isinstance(part, ir.Value | FreeSize) else int(part) for part in parts]


def sizes_in(op: Emitter, shape: Any) -> list[Size]:
    """Return a shape that the user gave as sizes; it may be a vector of the graph.

    Raises:
        ValueError: if it is one whose length is not known.
    """
    if not isinstance(shape, ir.Value) or rank_of(shape) == 0:
        return given_sizes(shape)
    (count,) = static_shape(shape)
    if not isinstance(count, int):
        raise ValueError(f"A shape must have a known number of sizes. Received: {shape.name}")
    known = constant_ints(shape)
    if known is not None:
        return list(known)
    return [op.Gather(shape, np.array(i), axis=0) for i in range(count)]


def scalar(op: Emitter, size: Size) -> ir.Value:
    """Return a size as an int64 scalar."""
    return op.Squeeze(vector(op, [size]), [0])


def vector(op: Emitter, sizes: Sequence[Size]) -> ir.Value:
    """Return sizes as an int64 vector."""
    parts: list[ir.Value] = []
    known: list[int] = []
    for size in sizes:
        if isinstance(size, int):
            known.append(size)
            continue
        if known:
            parts.append(op.constant(np.array(known, np.int64)))
            known = []
        if isinstance(size, FreeSize):
            parts.append(op.Shape(size.tensor, start=size.axis, end=size.axis + 1))
        else:
            parts.append(op.Reshape(op.cast(size, "int64"), [1]))
    if known or not parts:
        parts.append(op.constant(np.array(known, np.int64)))
    return parts[0] if len(parts) == 1 else op.Concat(*parts, axis=0)


def product(op: Emitter, sizes: Sequence[Size]) -> Size:
    """Return the product of sizes; an integer where all are known."""
    known = math.prod(size for size in sizes if isinstance(size, int))
    free = [size for size in sizes if not isinstance(size, int)]
    if len(free) == 0:
        return known
    if len(free) == 1 and known == 1:
        return free[0]
    total = scalar(op, free[0])
    for size in free[1:]:
        total = op.Mul(total, scalar(op, size))
    return total if known == 1 else op.Mul(total, known)


def shifted(op: Emitter, size: Size, by: int) -> Size:
    """Return a size and a number, added."""
    if isinstance(size, int):
        return size + by
    return size if by == 0 else op.Add(scalar(op, size), by)


def counted(op: Emitter, size: Size, dtype: str = "int64") -> ir.Value:
    """Return the numbers from 0 to below a size."""
    if isinstance(size, int):
        return op.constant(np.arange(size, dtype=dtype))
    made = op.Range(np.array(0, np.int64), scalar(op, size), np.array(1, np.int64))
    return op.cast(made, dtype)


def reshaped(op: Emitter, x: ir.Value, sizes: Sequence[Size]) -> ir.Value:
    """Return a value in another shape; one size may be -1, the rest.

    A single size that is not known needs no node: it is the rest.
    """
    free = [i for i, size in enumerate(sizes) if not isinstance(size, int)]
    plain = list(sizes)
    # An empty tensor has no rest that could be worked out.
    if len(free) == 1 and -1 not in sizes and 0 not in sizes:
        plain[free[0]] = -1
    target = vector(op, plain)
    return noted(op.Reshape(x, target, allowzero=int(0 in sizes)), _resolved(x, sizes))


def expanded(op: Emitter, x: ir.Value, sizes: Sequence[Size]) -> ir.Value:
    """Return a value with axes of size 1 repeated to these sizes."""
    return noted(op.Expand(x, vector(op, sizes)), [_dim(size) for size in sizes])


def noted(x: ir.Value, dims: Sequence[Dim]) -> ir.Value:
    """Note the sizes of a value, where inference does not find them."""
    found = [None] * len(dims) if x.shape is None else list(static_shape(x))
    x.shape = ir.Shape(
        [have if isinstance(have, int) else dim for have, dim in zip(found, dims, strict=True)]
    )
    return x


def axis_of(axis: Any, rank: int) -> int:
    """Return an axis counted from the front.

    Raises:
        ValueError: if there is no such axis.
    """
    axis = plain_value(axis)
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise TypeError(f"An axis is an integer that is known. Received: axis={axis!r}")
    if not -rank <= axis < max(rank, 1):
        raise ValueError(
            f"axis {axis} is out of bounds for a tensor of {rank} axes: expected {-rank} to "
            f"{rank - 1}."
        )
    return axis % rank if rank > 0 else 0


def axes_of(axis: Any, rank: int) -> list[int]:
    """Return axes counted from the front, in order; None means all.

    Raises:
        ValueError: if there is no such axis, or one is given twice.
    """
    if axis is None:
        return list(range(rank))
    axis = plain_value(axis)
    axes = [axis_of(a, rank) for a in (axis if isinstance(axis, list | tuple) else [axis])]
    if len(set(axes)) < len(axes):
        raise ValueError(f"An axis is given twice. Received: axis={axis}")
    return sorted(axes)


def rank_of(x: ir.Value) -> int:
    """Return the number of axes."""
    return len(static_shape(x))


def _dim(size: Size) -> Dim:
    """A size as shapes of the graph write it."""
    if isinstance(size, FreeSize):
        return size.name
    return size if isinstance(size, int) else None


def _resolved(x: ir.Value, sizes: Sequence[Size]) -> list[Dim]:
    """The sizes after a Reshape, the rest worked out where it can be."""
    dims = [_dim(size) for size in sizes]
    before = static_shape(x)
    numbers = [dim for dim in dims if isinstance(dim, int) and dim != -1]
    if -1 not in dims:
        return dims
    at = dims.index(-1)
    dims[at] = None
    known = [dim for dim in before if isinstance(dim, int)]
    if len(numbers) == len(dims) - 1 and math.prod(numbers) > 0:
        rest = math.prod(known) // math.prod(numbers)
        names = [dim for dim in before if not isinstance(dim, int)]
        if len(names) == 0:
            dims[at] = rest
        elif len(names) == 1 and rest == 1 and math.prod(known) == math.prod(numbers):
            dims[at] = names[0]
    return dims
