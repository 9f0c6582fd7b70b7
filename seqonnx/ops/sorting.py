"""Order: sorting, the largest, what is in a list, and where a number belongs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.promotion import arithmetic, floating, promoted, tensor, without_bool
from seqonnx.ops.reading import places
from seqonnx.ops.sizes import axis_of, given_sizes, noted, rank_of, reshaped, size_of, vector
from seqonnx.tensor_function import tensor_function

_NARROW = {"int8": "int32", "int16": "int32", "uint8": "int32", "uint16": "int32"}


@tensor_function()
def sort(op: Emitter, x: Any, axis: int | None = -1) -> ir.Value:
    """Return the numbers of each line in order, the smallest first.

    Args:
        x: tensor.
        axis: the axis; None: of the flattened tensor.

    Example:
        >>> sort([3, 1, 2]).tolist()
        [1, 2, 3]
    """
    return _sorted(op, x, axis)[0]


@tensor_function()
def argsort(op: Emitter, x: Any, axis: int | None = -1) -> ir.Value:
    """Return the places that bring each line in order; of equal numbers the first comes first."""
    return op.cast(_sorted(op, x, axis)[1], "int32")


@tensor_function()
def argpartition(op: Emitter, x: Any, kth: int, axis: int | None = -1) -> ir.Value:
    """Return places such that the number at `kth` is where sorting would put it.

    Smaller numbers come before it, larger ones behind; here all are in order.
    """
    return op.cast(_sorted(op, x, axis)[1], "int32")


@tensor_function()
def top_k(op: Emitter, x: Any, k: Any, sorted: bool = True) -> tuple[ir.Value, ir.Value]:
    """Return the largest numbers along the last axis, and their places.

    Args:
        x: tensor.
        k: how many.
        sorted: whether they are in order, the largest first.
    """
    value, given = _sortable(op, x)
    found, at = op.TopK(value, vector(op, given_sizes(k)), axis=-1, sorted=int(sorted), _outputs=2)
    return op.cast(found, given), op.cast(at, "int32")


@tensor_function()
def in_top_k(op: Emitter, targets: Any, predictions: Any, k: int) -> ir.Value:
    """Return whether the score of each target is among the `k` best.

    Args:
        targets: classes, of shape `(batch,)`.
        predictions: scores, of shape `(batch, classes)`.
        k: how many.
    """
    scores = floating(op, predictions)
    mine = op.GatherElements(scores, op.Unsqueeze(places(op, targets), [1]), axis=1)
    better = op.cast(op.Greater(scores, mine), "int32")
    count = op.ReduceSum(better, [1], keepdims=0)
    is_number = op.Not(op.IsNaN(op.Squeeze(mine, [1])))
    return op.And(op.Less(count, k), is_number)


@tensor_function()
def searchsorted(op: Emitter, sorted_sequence: Any, values: Any, side: str = "left") -> ir.Value:
    """Return where numbers belong in a vector that is in order.

    Args:
        sorted_sequence: vector, the smallest first.
        values: numbers.
        side: `"left"`: before equal numbers, `"right"`: behind them.

    Raises:
        ValueError: if the sequence is no vector, or the side is neither.
    """
    sequence, given = arithmetic(op, sorted_sequence, values)
    if rank_of(sequence) != 1:
        raise ValueError(
            "`searchsorted` only supports 1-D sorted sequences. You can use "
            "`seqonnx.ops.vectorized_map` to extend it to N-D sequences. Received: "
            f"sorted_sequence.shape={static_shape(sequence)}"
        )
    if side not in {"left", "right"}:
        raise ValueError(f"`side` must be either 'left' or 'right'. Received: side={side!r}")
    each = op.Unsqueeze(given, [-1])
    before = op.Less(sequence, each) if side == "left" else op.LessOrEqual(sequence, each)
    return op.ReduceSum(op.cast(before, "int32"), [-1], keepdims=0)


@tensor_function()
def digitize(op: Emitter, x: Any, bins: Any) -> ir.Value:
    """Return the number of the bin that each number lies in: how many bounds are not above it.

    Args:
        x: tensor.
        bins: bounds, the smallest first.
    """
    return searchsorted(op, tensor(op, bins), tensor(op, x), "right")


@tensor_function()
def isin(
    op: Emitter, x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False
) -> ir.Value:
    """Return whether each number of x1 is among those of x2.

    Args:
        x1: tensor.
        x2: tensor.
        assume_unique: a hint that changes nothing here.
        invert: whether the answer is turned round.
    """
    x1, x2 = promoted(op, x1, x2)
    same = op.Equal(op.Unsqueeze(x1, [-1]), reshaped(op, x2, [-1]))
    found = op.cast(op.ReduceMax(op.cast(same, "int32"), [-1], keepdims=0), "bool")
    return op.Not(found) if invert else found


@tensor_function()
def unique(
    op: Emitter,
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """Return the different numbers of a tensor.

    Args:
        x: tensor.
        sorted: whether they are in order; else in that of their first places.
        return_index: also the first place of each.
        return_inverse: also, for each number, its place in the result.
        return_counts: also how often each comes.
        axis: axis whose parts are compared; None: the numbers of the flattened tensor.
        size: how many there are: fewer are filled up, more are cut off.
        fill_value: what is filled in; default 0.
    """
    value = tensor(op, x)
    given = dtype_name(value)
    wide = given if given in {"float32", "float64", "int64"} else None
    value = op.cast(value, wide or ("float32" if dtypes.is_float(given) else "int64"))
    attributes = {} if axis is None else {"axis": axis_of(axis, rank_of(value))}
    found = list(op.Unique(value, sorted=int(sorted), **attributes, _outputs=4))
    at = 0 if axis is None else axis_of(axis, rank_of(value))
    found[0] = op.cast(found[0], given)
    for i in (1, 2, 3):
        found[i] = op.cast(found[i], "int32")
    if size is not None:
        fill = 0 if fill_value is None else fill_value
        for i, (axis_at, missing) in enumerate(((at, fill), (0, 1), (0, 0), (0, 0))):
            if i != 2:
                found[i] = _of_size(op, found[i], axis_at, size, missing)
    if axis is None:
        found[2] = op.Reshape(found[2], op.Shape(value))
    wanted = (True, return_index, return_inverse, return_counts)
    results = tuple(value for value, want in zip(found, wanted, strict=True) if want)
    return results[0] if len(results) == 1 else results


def _of_size(op: Emitter, x: ir.Value, axis: int, size: int, fill: Any) -> ir.Value:
    """A value cut off, or filled up, along an axis."""
    x = op.Slice(x, [0], [size], [axis])
    missing = op.Sub(np.array([size], np.int64), op.Shape(x, start=axis, end=axis + 1))
    pads = op.Concat(np.array([0], np.int64), missing, axis=0)
    dtype = dtype_name(x)
    filled = op.Pad(x, pads, op.constant(np.array(fill, dtype)), [axis])
    return noted(filled, [*static_shape(x)[:axis], size, *static_shape(x)[axis + 1 :]])


def _sortable(op: Emitter, x: Any) -> tuple[ir.Value, str]:
    """A value in a dtype that ONNX Runtime sorts, and its own."""
    value = tensor(op, x)
    given = dtype_name(value)
    value = without_bool(op, value)
    return op.cast(value, _NARROW.get(dtype_name(value), dtype_name(value))), given


def _sorted(op: Emitter, x: Any, axis: int | None) -> tuple[ir.Value, ir.Value]:
    """The numbers of each line in order, and where they were."""
    value, given = _sortable(op, x)
    if axis is None:
        value, axis = reshaped(op, value, [-1]), 0
    at = axis_of(axis, rank_of(value))
    count = vector(op, [size_of(value, at)])
    found, order = op.TopK(value, count, axis=at, largest=0, sorted=1, _outputs=2)
    shape = static_shape(value)
    return op.cast(noted(found, shape), given), noted(order, shape)
