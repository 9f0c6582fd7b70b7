"""Putting slices back to where they were taken from: what slicing and gathering share."""

from __future__ import annotations

import math
import sys
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.idioms.sizes import fill_like, positions, shaped, zero_pad
from seqonnx.autodiff.needed import rank
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.sources import HALF_TYPES
from seqonnx.graph import static_shape
from seqonnx.graph.reading import constant_of

_MOST_FILLING: Final = 4
"""How many times as many slices as there are may be picked."""


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
    op: RuleEmitter,
    dy: ir.Value,
    indices: ir.Value,
    size: ir.Value,
    axis: int,
    *,
    distinct: bool = False,
) -> ir.Value:
    """Add slices to the places that indices name, several to one place if need be.

    Constant places that few slices share pick their slices themselves. Distinct places are written
    by ScatterND, over the leading axis: another axis is moved to the front and back. Other places
    are written by ScatterElements, on one axis: ONNX Runtime's CPU provider runs ScatterND in
    several threads that overwrite each other's sums (1.32: errors as large as the sums from 3,200
    slices of 128 on). Half precision is added up in float32: that provider has no other, and many
    small numbers would be lost.

    Args:
        op: the rule's emitter.
        dy: value with the axes of `indices` in place of axis `axis`.
        indices: places of the slices, of any rank; negative ones count from the end.
        size: number of places, a vector of one integer.
        axis: where the axes of `indices` begin.
        distinct: whether no place is named twice.

    Returns:
        A value with the axis `axis` of `size` places.
    """
    table = None if distinct else _table(constant_of(indices), constant_of(size))
    if table is not None:
        return _pick(op, dy, table, rank(indices), axis)
    count, taken = rank(dy), rank(indices)
    chosen = list(range(axis, axis + taken))
    rest = [i for i in range(count) if i not in chosen]
    moved = op.Transpose(dy, perm=chosen + rest) if axis > 0 else dy
    half = dy.dtype in HALF_TYPES
    if half:
        moved = op.Cast(moved, to=ir.DataType.FLOAT)
    where = (
        indices if indices.dtype == ir.DataType.INT64 else op.Cast(indices, to=ir.DataType.INT64)
    )
    shape = op.Concat(size, op.Shape(moved, start=taken), axis=0)
    if distinct or rank(moved) == 0:
        zeros = op.ConstantOfShape(shape, value=ir.tensor([0.0], dtype=moved.dtype))
        total = op.ScatterND(zeros, op.Unsqueeze(where, [-1]), moved, reduction="add")
    else:
        total = _add_in_one_thread(op, moved, where, size, shape)
    if half:
        total = op.Cast(total, to=dy.dtype)
    if axis == 0:
        return total
    return op.Transpose(total, perm=[*range(1, axis + 1), 0, *range(axis + 1, len(rest) + 1)])


def _table(
    indices: npt.NDArray[Any] | None, size: npt.NDArray[Any] | None
) -> npt.NDArray[np.int64] | None:
    """For each place the numbers of its slices, filled up with the number behind the last one.

    None if indices or size are not constant, or the table would be mostly filling.
    """
    if indices is None or size is None or indices.size == 0:
        return None
    places = int(size.item())
    taken = indices.reshape(-1).astype(np.int64) % places
    order = np.argsort(taken, kind="stable")
    counts = np.bincount(taken, minlength=places)
    most = int(counts.max())
    if places * most > _MOST_FILLING * taken.size:
        return None
    table = np.full((places, most), taken.size, np.int64)
    nth = np.arange(taken.size) - np.repeat(np.cumsum(counts) - counts, counts)
    table[taken[order], nth] = order
    return table


def _pick(
    op: RuleEmitter, dy: ir.Value, table: npt.NDArray[np.int64], taken: int, axis: int
) -> ir.Value:
    """Add up, for each place, the slices that its row of a table names; the last one is zeros."""
    if taken != 1:
        around = op.Shape(dy, end=axis), [-1], op.Shape(dy, start=axis + taken)
        sizes = [*static_shape(dy)[:axis], None, *static_shape(dy)[axis + taken :]]
        dy = shaped(op.Reshape(dy, op.Concat(*around, axis=0)), sizes)
    wide = op.Cast(dy, to=ir.DataType.FLOAT) if dy.dtype in HALF_TYPES else dy
    picked = op.Gather(zero_pad(op, wide, [0], [1], [axis]), table, axis=axis)
    total = op.ReduceSum(picked, [axis + 1], keepdims=0)
    return op.Cast(total, to=dy.dtype) if dy.dtype in HALF_TYPES else total


def _add_in_one_thread(
    op: RuleEmitter, slices: ir.Value, where: ir.Value, size: ir.Value, shape: ir.Value
) -> ir.Value:
    """Add slices element by element to zeros of a shape.

    All axes are one: ScatterElements is two to four times as fast on it (measured).
    """
    lengths = static_shape(slices)[rank(where) :]
    known = [length for length in lengths if isinstance(length, int)]
    if len(known) == len(lengths):
        width = op.constant(np.array([math.prod(known)], np.int64))
    else:
        width = op.ReduceProd(op.Slice(shape, [1], [sys.maxsize]), keepdims=1)
    first = op.Mul(op.Reshape(op.Mod(where, size), [-1, 1]), width)
    places = op.Reshape(op.Add(first, positions(op, width)), [-1])
    zeros = op.ConstantOfShape(op.Mul(size, width), value=ir.tensor([0.0], dtype=slices.dtype))
    flat = op.Reshape(slices, [-1])
    total = op.ScatterElements(zeros, places, flat, axis=0, reduction="add")
    return op.Reshape(total, shape, allowzero=1)


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
