"""Products of vectors, matrices and tensors, and sums of products."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.promotion import arithmetic, floats, promoted
from seqonnx.ops.shaping import ordered
from seqonnx.ops.sizes import axis_of, product, rank_of, reshaped, sizes_of
from seqonnx.tensor_function import tensor_function

_MULTIPLIED: Final = frozenset({"float16", "float32", "float64", "int32", "int64"})
"""Dtypes that ONNX Runtime multiplies matrices of."""


@tensor_function()
def matmul(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the matrix product of the last two axes; of a vector, with it.

    Args:
        x1: tensor.
        x2: tensor.

    Example:
        >>> matmul([[1.0, 2.0]], [[3.0], [4.0]]).tolist()
        [[11.0]]
    """
    x1, x2 = promoted(op, x1, x2)
    given = dtype_name(x1)
    if given in _MULTIPLIED:
        return op.MatMul(x1, x2)
    wide = {"bool": "float32", "bfloat16": "float32"}.get(given, "int32")
    made = op.MatMul(op.cast(x1, wide), op.cast(x2, wide))
    # Keras adds up int8 in int32, and leaves it so.
    return op.cast(made, "int32" if given == "int8" else given)


@tensor_function()
def tensordot(op: Emitter, x1: Any, x2: Any, axes: Any = 2) -> ir.Value:
    """Return the sums of products over axes of one tensor and axes of the other.

    Args:
        x1: tensor.
        x2: tensor.
        axes: a number n: the last n of x1 and the first n of x2; or a pair of axes, or of lists.
    """
    x1, x2 = promoted(op, x1, x2)
    first, second = rank_of(x1), rank_of(x2)
    axes = plain_value(axes)
    if isinstance(axes, int):
        pair: list[Any] = [list(range(first - axes, first)), list(range(axes))]
    else:
        pair = [part if isinstance(part, list | tuple) else [part] for part in axes]
    inner1 = [axis_of(a, first) for a in pair[0]]
    inner2 = [axis_of(a, second) for a in pair[1]]
    outer1 = [a for a in range(first) if a not in inner1]
    outer2 = [a for a in range(second) if a not in inner2]
    sizes1, sizes2 = sizes_of(x1), sizes_of(x2)
    # One of the two may not know what is summed over.
    known = zip(inner1, inner2, strict=True)
    summed = [sizes1[a] if isinstance(sizes1[a], int) else sizes2[b] for a, b in known]
    inner = product(op, summed)
    left = reshaped(
        op, ordered(op, x1, [*outer1, *inner1]), [product(op, [sizes1[a] for a in outer1]), inner]
    )
    right = reshaped(
        op, ordered(op, x2, [*inner2, *outer2]), [inner, product(op, [sizes2[a] for a in outer2])]
    )
    result = [*(sizes1[a] for a in outer1), *(sizes2[a] for a in outer2)]
    made = matmul(op, left, right)
    return op.cast(reshaped(op, made, result), dtype_name(x1))


@tensor_function()
def dot(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the sums of products over the last axis of x1 and the last but one of x2."""
    x1, x2 = promoted(op, x1, x2)
    if 0 in (rank_of(x1), rank_of(x2)):
        return op.Mul(x1, x2)
    return tensordot(op, x1, x2, [[-1], [max(rank_of(x2) - 2, 0)]])


@tensor_function()
def inner(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the sums of products over the last axes."""
    x1, x2 = promoted(op, x1, x2)
    if 0 in (rank_of(x1), rank_of(x2)):
        return op.Mul(x1, x2)
    return tensordot(op, x1, x2, [[-1], [-1]])


@tensor_function()
def vdot(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the sum of products of two flattened tensors."""
    x1, x2 = promoted(op, x1, x2)
    return tensordot(op, reshaped(op, x1, [-1]), reshaped(op, x2, [-1]), 1)


@tensor_function()
def outer(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the product of each two numbers of two flattened tensors."""
    x1, x2 = arithmetic(op, x1, x2)
    return op.Mul(reshaped(op, x1, [-1, 1]), reshaped(op, x2, [1, -1]))


@tensor_function()
def kron(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the Kronecker product: each number of x1 times all of x2, as blocks."""
    x1, x2 = arithmetic(op, x1, x2)
    rank = max(rank_of(x1), rank_of(x2))
    x1, x2 = (
        op.Unsqueeze(x, [*range(rank - rank_of(x))]) if rank_of(x) < rank else x for x in (x1, x2)
    )
    sizes = zip(sizes_of(x1), sizes_of(x2), strict=True)
    blocks = op.Unsqueeze(x1, [2 * a + 1 for a in range(rank)])
    inside = op.Unsqueeze(x2, [2 * a for a in range(rank)])
    return reshaped(op, op.Mul(blocks, inside), [product(op, pair) for pair in sizes])


@tensor_function()
def cross(
    op: Emitter,
    x1: Any,
    x2: Any,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> ir.Value:
    """Return the cross product of vectors of 3 numbers; of 2 numbers, its height.

    Args:
        x1: tensor.
        x2: tensor.
        axisa: the axis of the vectors of x1.
        axisb: the axis of those of x2.
        axisc: their axis in the result.
        axis: one axis for all three.

    Raises:
        ValueError: if vectors have neither 2 nor 3 numbers.
    """
    x1, x2 = arithmetic(op, x1, x2)
    if axis is not None:
        axisa = axisb = axisc = axis
    first, second = _numbers_of(op, x1, axisa), _numbers_of(op, x2, axisb)
    if len(first) == len(second) == 2:
        return op.Sub(op.Mul(first[0], second[1]), op.Mul(first[1], second[0]))
    zero = np.zeros((), dtype_name(x1))
    a, b = ([*part, op.constant(zero)][:3] for part in (first, second))
    turned = [op.Sub(op.Mul(a[i], b[j]), op.Mul(a[j], b[i])) for i, j in ((1, 2), (2, 0), (0, 1))]
    at = axis_of(axisc, rank_of(turned[2]) + 1)
    return op.Concat(*(op.Unsqueeze(part, [at]) for part in turned), axis=at)


def _numbers_of(op: Emitter, x: ir.Value, axis: int) -> list[ir.Value]:
    at = axis_of(axis, rank_of(x))
    count = static_shape(x)[at]
    if count not in {2, 3}:
        raise ValueError(
            "Both `x1` and `x2` must hold vectors of 2 or 3 numbers. "
            f"Received: shape {static_shape(x)}, axis {axis}"
        )
    assert isinstance(count, int)
    return [op.Gather(x, np.array(i), axis=at) for i in range(count)]


@tensor_function()
def einsum(op: Emitter, subscripts: str, *operands: Any, **kwargs: Any) -> ir.Value:
    """Return the sums of products that an equation names.

    Args:
        subscripts: a letter for each axis of each operand, such as `"ij,jk->ik"`.
        *operands: tensors.
        **kwargs: `optimize` and the like, hints that change nothing here.

    Example:
        >>> einsum("i,i->", [1.0, 2.0], [3.0, 4.0]).tolist()
        11.0
    """
    values = promoted(op, *operands)
    given = dtype_name(values[0])
    wide = given if given in {"float32", "float64", "int32", "int64"} else None
    if wide is None:
        wide = "int32" if "int" in given else "float32"
        values = [op.cast(value, wide) for value in values]
    made = op.Einsum(*values, equation=subscripts.replace(" ", ""))
    return op.cast(made, "int32" if given == "int8" else given)


@tensor_function()
def correlate(op: Emitter, x1: Any, x2: Any, mode: str = "valid") -> ir.Value:
    """Return how well two vectors agree at each shift.

    Args:
        x1: vector.
        x2: vector.
        mode: `"valid"` (where the shorter lies inside the longer), `"same"` (as many as x1 has),
            or `"full"` (wherever they touch).

    Raises:
        ValueError: for another mode, or where a size is not known.
    """
    x1, x2 = floats(op, x1, x2)
    n, m = static_shape(x1)[-1], static_shape(x2)[-1]
    if mode not in {"valid", "same", "full"} or rank_of(x1) != 1 or rank_of(x2) != 1:
        raise ValueError(
            "`correlate` takes two vectors, and a mode of 'valid', 'same' or 'full'. "
            f"Received: x1.shape={static_shape(x1)}, x2.shape={static_shape(x2)}, mode={mode!r}"
        )
    if not isinstance(n, int) or not isinstance(m, int):
        raise ValueError("`correlate` must know the lengths of the vectors.")
    made = op.Conv(op.Unsqueeze(x1, [0, 1]), op.Unsqueeze(x2, [0, 1]), pads=[m - 1, m - 1])
    result = op.Reshape(made, np.array([-1], np.int64))
    wanted = {"full": n + m - 1, "same": n, "valid": max(n, m) - min(n, m) + 1}[mode]
    first = (n + m - 1 - wanted) // 2
    return result if mode == "full" else op.Slice(result, [first], [first + wanted], [0])


@tensor_function()
def cdist(op: Emitter, x: Any, y: Any) -> ir.Value:
    """Return the distance of each point of x from each of y.

    Args:
        x: points, `(..., n, d)`.
        y: points, `(..., m, d)`.
    """
    x, y = floats(op, x, y)
    apart = op.Sub(op.Unsqueeze(x, [-2]), op.Unsqueeze(y, [-3]))
    return op.ReduceL2(apart, [-1], keepdims=0)
