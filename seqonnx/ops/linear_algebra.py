"""Linear algebra: norms, determinants, systems of equations, factors.

ONNX has the determinant alone. Systems are solved by a Scan over the columns (Gauss-Jordan with
pivots), and Cholesky's factor is one over columns too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.graph.scan_body import ScanBody
from seqonnx.ops.creation import eye
from seqonnx.ops.diagonals import tril, triu
from seqonnx.ops.promotion import floating, floats, number
from seqonnx.ops.reduction import Axes, amax, amin, reduced
from seqonnx.ops.shaping import ordered
from seqonnx.ops.sizes import axes_of, counted, noted, rank_of, size_of
from seqonnx.tensor_function import tensor_function


@tensor_function()
def norm(
    op: Emitter, x: Any, ord: Any = None, axis: Axes = None, keepdims: bool = False
) -> ir.Value:
    """Return the size of vectors or matrices.

    Args:
        x: tensor.
        ord: None (the root of the sum of squares), `"fro"`, a number, or infinity.
        axis: the axis of vectors, or the two of matrices; None: all.
        keepdims: whether they stay, with size 1.

    Raises:
        ValueError: for a norm that needs singular values, or that there is not.

    Example:
        >>> norm([3.0, 4.0]).tolist()
        5.0
    """
    x = floating(op, x)
    axes = axes_of(axis, rank_of(x))
    if ord is None or (ord == "fro" and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        return reduced(op, "ReduceL2", x, axis, keepdims)
    if len(axes) == 1:
        return _vector_norm(op, x, ord, axes[0], keepdims)
    if len(axes) == 2 and ord in {1, -1, math.inf, -math.inf}:
        given = plain_value(axis)
        rows, columns = axes if axis is None else [a % rank_of(x) for a in given]
        summed, read = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = reduced(op, "ReduceL1", x, summed, True)
        found = (amax if ord > 0 else amin)(op, sums, (summed, read), keepdims)
        return found
    raise ValueError(
        f"`norm` of {len(axes)} axes takes `ord` None, 'fro', 1, -1, inf or -inf; 2, -2 and 'nuc' "
        f"need singular values, which ONNX cannot compute. Received: ord={ord!r}, axis={axis}"
    )


def _vector_norm(op: Emitter, x: ir.Value, ord: Any, axis: int, keepdims: bool) -> ir.Value:
    if not isinstance(ord, int | float):
        raise ValueError(f"Invalid norm of vectors: `ord` must be a number. Received: ord={ord!r}")
    if ord == 1:
        return reduced(op, "ReduceL1", x, axis, keepdims)
    if math.isinf(ord):
        return reduced(op, "ReduceMax" if ord > 0 else "ReduceMin", op.Abs(x), axis, keepdims)
    if ord == 0:
        there = op.cast(op.cast(x, "bool"), dtype_name(x))
        return reduced(op, "ReduceSum", there, axis, keepdims)
    total = reduced(op, "ReduceSum", op.Pow(op.Abs(x), number(op, ord, x)), axis, keepdims)
    return op.Pow(total, number(op, 1.0 / ord, x))


@tensor_function()
def det(op: Emitter, x: Any) -> ir.Value:
    """Return the determinant of square matrices, the last two axes."""
    return op.Det(floating(op, x))


@tensor_function()
def slogdet(op: Emitter, x: Any) -> tuple[ir.Value, ir.Value]:
    """Return the sign of the determinant, and the logarithm of its absolute value."""
    found = op.Det(floating(op, x))
    return op.Sign(found), op.Log(op.Abs(found))


@tensor_function()
def logdet(op: Emitter, x: Any) -> ir.Value:
    """Return the logarithm of the determinant of positive matrices."""
    return op.Log(op.Det(floating(op, x)))


@tensor_function()
def solve(op: Emitter, a: Any, b: Any) -> ir.Value:
    """Return x of the equations a x = b.

    Args:
        a: square matrices, `(..., n, n)`.
        b: right sides, `(..., n, k)`, or vectors, `(..., n)`.
    """
    a, b = floats(op, a, b)
    if rank_of(b) == rank_of(a) - 1:
        return op.Squeeze(_eliminated(op, a, op.Unsqueeze(b, [-1])), [-1])
    return _eliminated(op, a, b)


@tensor_function()
def inv(op: Emitter, x: Any) -> ir.Value:
    """Return the inverse of square matrices, the last two axes."""
    x = floating(op, x)
    n = size_of(x, rank_of(x) - 1)
    unit = eye(op, n, None, 0, dtype_name(x))
    return _eliminated(op, x, op.Expand(unit, op.Shape(x)))


@tensor_function()
def solve_triangular(op: Emitter, a: Any, b: Any, lower: bool = False) -> ir.Value:
    """Return x of the equations a x = b, where one half of `a` counts.

    Args:
        a: square matrices.
        b: right sides.
        lower: whether the lower half counts; else the upper one.
    """
    a, b = floats(op, a, b)
    return solve(op, (tril if lower else triu)(op, a), b)


@tensor_function()
def cholesky(op: Emitter, x: Any, upper: bool = False) -> ir.Value:
    """Return the triangular factor L of x = L L^T.

    Args:
        x: symmetric positive matrices, the last two axes.
        upper: whether L^T is returned.
    """
    x = floating(op, x)
    rank = rank_of(x)
    n = size_of(x, rank - 1)
    steps = counted(op, n)
    scan = ScanBody(op, "cholesky")
    body, rest, step = scan.body, scan.state(x), scan.element(steps)
    column = body.Gather(rest, step, axis=-1)
    pivot = body.Unsqueeze(body.Gather(column, step, axis=-1), [-1])
    below = body.Where(body.Less(steps, step), number(body, 0, x), column)
    factor = body.Div(below, body.Sqrt(pivot))
    done = body.Mul(body.Unsqueeze(factor, [-1]), body.Unsqueeze(factor, [-2]))
    _, (columns,) = scan.run([body.Sub(rest, done)], [factor])
    # The columns are the first axis now.
    order = [*range(1, rank - 1), 0, rank - 1] if upper else [*range(1, rank), 0]
    return noted(ordered(op, columns, order), static_shape(x))


@tensor_function()
def cholesky_inverse(op: Emitter, x: Any, upper: bool = False) -> ir.Value:
    """Return the inverse of L L^T (of L^T L if `upper`) for the factor L."""
    x = floating(op, x)
    rank = rank_of(x)
    turned = op.Transpose(x, perm=[*range(rank - 2), rank - 1, rank - 2])
    return inv(op, op.MatMul(turned, x) if upper else op.MatMul(x, turned))


def _eliminated(op: Emitter, a: ir.Value, b: ir.Value) -> ir.Value:
    """The solution by Gauss-Jordan: in each step one column of `a` becomes one of the unit matrix.

    The row with the largest number of the column comes first, so that no step divides by a small
    one.
    """
    rank = rank_of(a)
    n = size_of(a, rank - 1)
    rows = counted(op, n)
    both = op.Concat(a, b, axis=-1)
    scan = ScanBody(op, "eliminate")
    body, state, step = scan.body, scan.state(both), scan.element(rows)
    column = body.Gather(state, step, axis=-1)
    left = body.Where(body.Less(rows, step), number(body, -1, a), body.Abs(column))
    pivot = body.ArgMax(left, axis=-1, keepdims=1)
    here = body.Equal(rows, step)
    order = body.Where(here, pivot, body.Where(body.Equal(rows, pivot), step, rows))
    places = body.Expand(body.Unsqueeze(order, [-1]), body.Shape(state))
    swapped = body.GatherElements(state, places, axis=rank - 2)
    factors = body.Gather(swapped, step, axis=-1)
    row = body.Gather(swapped, step, axis=-2)
    row = body.Div(row, body.Unsqueeze(body.Gather(factors, step, axis=-1), [-1]))
    # The row itself becomes `row`: it loses all of itself but one.
    factors = body.Sub(factors, body.cast(here, dtype_name(a)))
    taken = body.Mul(body.Unsqueeze(factors, [-1]), body.Unsqueeze(row, [-2]))
    (made,), _ = scan.run([body.Sub(swapped, taken)], [])
    end = np.iinfo(np.int64).max
    start = op.constant(np.array([n])) if isinstance(n, int) else op.Shape(a, start=-1)
    return noted(op.Slice(made, start, np.array([end]), [-1]), static_shape(b))
