"""Sums and products so far, and differences, along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.graph.scan_body import ScanBody
from seqonnx.ops.promotion import floats, number, tensor
from seqonnx.ops.sizes import axis_of, noted, rank_of
from seqonnx.tensor_function import tensor_function

_END = np.iinfo(np.int64).max


@tensor_function()
def cumsum(op: Emitter, x: Any, axis: int | None = None, dtype: str | None = None) -> ir.Value:
    """Return the sums of all numbers so far.

    Args:
        x: tensor.
        axis: axis along which to add; None: of the flattened tensor.
        dtype: dtype of the result; default: that of x, of bools int32.

    Example:
        >>> cumsum([1, 2, 3]).tolist()
        [1, 3, 6]
    """
    x, at, given = _line(op, x, axis, dtype)
    return op.cast(op.CumSum(x, np.array(at, np.int64)), given)


@tensor_function()
def cumprod(op: Emitter, x: Any, axis: int | None = None, dtype: str | None = None) -> ir.Value:
    """Return the products of all numbers so far; arguments as those of `cumsum`.

    ONNX has no operator for it: a Scan multiplies.
    """
    x, at, given = _line(op, x, axis, dtype)
    return op.cast(_running_product(op, x, at), given)


@tensor_function()
def diff(op: Emitter, a: Any, n: int = 1, axis: int = -1) -> ir.Value:
    """Return the differences of neighbours; of bools, whether they differ.

    Args:
        a: tensor.
        n: how often to take differences.
        axis: the axis.
    """
    x = tensor(op, a)
    at = axis_of(axis, rank_of(x))
    for _ in range(n):
        later, earlier = op.Slice(x, [1], [_END], [at]), op.Slice(x, [0], [-1], [at])
        x = op.Xor(later, earlier) if dtype_name(x) == "bool" else op.Sub(later, earlier)
    return x


@tensor_function()
def trapezoid(op: Emitter, y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> ir.Value:
    """Return the area below a line through points, by trapezoids.

    Args:
        y: heights.
        x: places along `axis`; None: `dx` apart.
        dx: distance of neighbours.
        axis: the axis of the points.
    """
    (y,) = floats(op, y)
    at = axis_of(axis, rank_of(y))
    heights = op.Add(op.Slice(y, [1], [_END], [at]), op.Slice(y, [0], [-1], [at]))
    if x is None:
        return op.Mul(op.ReduceSum(heights, [at], keepdims=0), 0.5 * dx)
    (x,) = floats(op, x)
    if rank_of(x) == 1 and at < rank_of(y) - 1:
        x = op.Unsqueeze(x, [*range(1, rank_of(y) - at)])
    widths = diff(op, x, 1, at if rank_of(x) == rank_of(y) else 0)
    return op.Mul(op.ReduceSum(op.Mul(heights, widths), [at], keepdims=0), 0.5)


def _line(op: Emitter, x: Any, axis: int | None, dtype: Any) -> tuple[ir.Value, int, str]:
    """The value to go along, its axis, and the dtype of the result."""
    x = tensor(op, x)
    given = dtype_name(x) if dtype is None else dtypes.standardize(dtype)
    given = "int32" if given == "bool" else given
    narrow = given in {"int8", "int16", "uint8", "uint16"}
    x = op.cast(x, "int32" if narrow else dtypes.widened(given))
    if axis is None:
        return op.Reshape(x, np.array([-1], np.int64)), 0, given
    return x, axis_of(axis, rank_of(x)), given


def _running_product(op: Emitter, x: ir.Value, axis: int) -> ir.Value:
    """Products so far, by a Scan."""
    rank = rank_of(x)
    order = [axis, *(a for a in range(rank) if a != axis)]
    first = op.Transpose(x, perm=order)
    ones = op.Expand(number(op, 1, x), op.Shape(first, start=1))
    scan = ScanBody(op, "products")
    so_far, factor = scan.state(noted(ones, static_shape(first)[1:])), scan.element(first)
    made = scan.body.Mul(so_far, factor)
    _, (products,) = scan.run([made], [scan.body.Identity(made)])
    return op.Transpose(products, perm=[int(i) for i in np.argsort(order)])
