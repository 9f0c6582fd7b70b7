"""Diagonals of matrices, and what is above and below them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.arranging import pad
from seqonnx.ops.creation import eye
from seqonnx.ops.promotion import number, tensor
from seqonnx.ops.reduction import sum
from seqonnx.ops.shaping import ordered
from seqonnx.ops.sizes import axis_of, product, rank_of, reshaped, scalar, size_of, sizes_of
from seqonnx.tensor_function import tensor_function

_TRIANGULAR: Final = frozenset({"float32", "float64", "int64", "bool"})
"""Dtypes that ONNX Runtime's Trilu has."""


@tensor_function()
def tril(op: Emitter, x: Any, k: int = 0) -> ir.Value:
    """Return matrices with zeros above a diagonal.

    Args:
        x: tensor; the last two axes are the matrices'.
        k: the diagonal: above the main one if positive.

    Example:
        >>> tril([[1, 2], [3, 4]]).tolist()
        [[1, 0], [3, 4]]
    """
    return _triangle(op, x, k, 0)


@tensor_function()
def triu(op: Emitter, x: Any, k: int = 0) -> ir.Value:
    """Return matrices with zeros below a diagonal; arguments as those of `tril`."""
    return _triangle(op, x, k, 1)


def _triangle(op: Emitter, x: Any, k: int, upper: int) -> ir.Value:
    x = tensor(op, x)
    given = dtype_name(x)
    wide = "float32" if given in {"float16", "bfloat16"} else "int64"
    value = x if given in _TRIANGULAR else op.cast(x, wide)
    return op.cast(op.Trilu(value, np.array(k, np.int64), upper=upper), given)


@tensor_function()
def diagonal(op: Emitter, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> ir.Value:
    """Return a diagonal of each matrix, as the last axis.

    Args:
        x: tensor of at least two axes.
        offset: the diagonal: above the main one if positive.
        axis1: the rows of the matrices.
        axis2: their columns.
    """
    x = tensor(op, x)
    rank = rank_of(x)
    rows, columns = axis_of(axis1, rank), axis_of(axis2, rank)
    others = [a for a in range(rank) if a not in (rows, columns)]
    x = ordered(op, x, [*others, rows, columns])
    n, m = size_of(x, rank - 2), size_of(x, rank - 1)
    flat = reshaped(op, x, [*sizes_of(x)[:-2], product(op, [n, m])])
    down, right = max(-offset, 0), max(offset, 0)
    if isinstance(n, int) and isinstance(m, int):
        steps = np.arange(max(min(n - down, m - right), 0))
        return op.Gather(flat, (steps + down) * m + steps + right, axis=-1)
    width = scalar(op, m)
    count = op.Min(op.Sub(scalar(op, n), down), op.Sub(width, right))
    walked = op.Range(np.array(0, np.int64), count, np.array(1, np.int64))
    at = op.Add(op.Mul(op.Add(walked, down), width), op.Add(walked, right))
    return op.Gather(flat, at, axis=-1)


@tensor_function()
def trace(op: Emitter, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> ir.Value:
    """Return the sum of a diagonal; arguments as those of `diagonal`."""
    return sum(op, diagonal(op, x, offset, axis1, axis2), -1)


@tensor_function()
def diag(op: Emitter, x: Any, k: int = 0) -> ir.Value:
    """Return a matrix that has a vector on a diagonal; of a matrix, the diagonal.

    Args:
        x: vector or matrix.
        k: the diagonal: above the main one if positive.
    """
    x = tensor(op, x)
    if rank_of(x) == 2:
        return diagonal(op, x, k)
    if rank_of(x) != 1:
        raise ValueError(f"`x` must be 1-D or 2-D. Received: x.shape={x.shape}")
    wide = pad(op, x, [(max(k, 0), max(-k, 0))])
    size = size_of(wide, 0)
    mask = eye(op, size, size, k, "bool")
    return op.Where(mask, wide, number(op, 0, x))


@tensor_function()
def diagflat(op: Emitter, x: Any, k: int = 0) -> ir.Value:
    """Return a matrix that has the numbers of a tensor on a diagonal."""
    return diag(op, reshaped(op, tensor(op, x), [-1]), k)
