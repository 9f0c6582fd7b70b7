"""Putting slices back to where they were taken from: what slicing and gathering share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.rules.masks import HALF_TYPES
from seqonnx.autodiff.rules.reading import rank
from seqonnx.autodiff.rules.sizes import fill_like, zero_pad


def place(
    op: RuleEmitter, dy: ir.Value, taken: npt.NDArray[np.int64], size: int, axis: int
) -> ir.Value:
    """Put slices back, each to a place of its own; zeros elsewhere.

    Args:
        op: the rule's emitter.
        dy: value with `len(taken)` slices along `axis`.
        taken: their places, from 0 to `size` - 1, each at most once.
        size: number of places.
        axis: axis of the slices.

    Returns:
        A value with `size` slices along `axis`.
    """
    first = int(taken[0]) if taken.size > 0 else 0
    if np.array_equal(taken, np.arange(first, first + taken.size)):
        if taken.size == size:
            return dy
        return zero_pad(op, dy, [first], [size - first - int(taken.size)], [axis])
    source = np.full(size, taken.size, np.int64)
    source[taken] = np.arange(taken.size)
    spare = dy if taken.size == size else zero_pad(op, dy, [0], [1], [axis])
    return op.Gather(spare, source, axis=axis)


def add_slices(
    op: RuleEmitter, dy: ir.Value, indices: ir.Value, size: ir.Value, axis: int
) -> ir.Value:
    """Add slices to the places that indices name, several to one place if need be.

    Over the leading axis ScatterND is 5 to 20 times as fast as ScatterElements (measured), so
    another axis is moved to the front and back. Half precision is added up in float32: ONNX
    Runtime's CPU provider has no other, and many small numbers would be lost.

    Args:
        op: the rule's emitter.
        dy: value with the axes of `indices` in place of axis `axis`.
        indices: places of the slices, of any rank; negative ones count from the end.
        size: number of places, a vector of one integer.
        axis: where the axes of `indices` begin.

    Returns:
        A value with the axis `axis` of `size` places.
    """
    count, taken = rank(dy), rank(indices)
    chosen = list(range(axis, axis + taken))
    rest = [i for i in range(count) if i not in chosen]
    moved = op.Transpose(dy, perm=chosen + rest) if axis > 0 else dy
    half = dy.dtype in HALF_TYPES
    if half:
        moved = op.Cast(moved, to=ir.DataType.FLOAT)
    zeros = op.ConstantOfShape(
        op.Concat(size, op.Shape(moved, start=taken), axis=0),
        value=ir.tensor([0.0], dtype=moved.dtype),
    )
    where = (
        indices if indices.dtype == ir.DataType.INT64 else op.Cast(indices, to=ir.DataType.INT64)
    )
    total = op.ScatterND(zeros, op.Unsqueeze(where, [-1]), moved, reduction="add")
    if half:
        total = op.Cast(total, to=dy.dtype)
    if axis == 0:
        return total
    return op.Transpose(total, perm=[*range(1, axis + 1), 0, *range(axis + 1, len(rest) + 1)])


def add_elements(
    op: RuleEmitter,
    operator: str,
    like: ir.Value,
    indices: ir.Value,
    dy: ir.Value,
    axis: int | None = None,
) -> ir.Value:
    """Add elements or slices to zeros; 16 bits in float32, which ONNX Runtime's CPU needs.

    Args:
        op: the rule's emitter.
        operator: `"ScatterElements"` or `"ScatterND"`.
        like: value whose shape and type the result has.
        indices: places, as the operator takes them.
        dy: what is added.
        axis: axis of the places, for ScatterElements.
    """
    half = dy.dtype in HALF_TYPES
    added = op.Cast(dy, to=ir.DataType.FLOAT) if half else dy
    zeros = fill_like(op, op.Cast(like, to=ir.DataType.FLOAT) if half else like)
    attributes = {"reduction": "add"} | ({} if axis is None else {"axis": axis})
    total: ir.Value = op.emitter.emit(operator, [zeros, indices, added], attributes)
    return op.Cast(total, to=dy.dtype) if half else total
