"""Numbers read from tensors, and written into them, by their places."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.promotion import promoted, tensor
from seqonnx.ops.sizes import (
    axis_of,
    expanded,
    given_sizes,
    rank_of,
    reshaped,
    scalar,
    sizes_in,
    sizes_of,
    vector,
)
from seqonnx.ops.writing import merged
from seqonnx.tensor_function import tensor_function

_REDUCTIONS: Final = frozenset({None, "add", "mul", "max", "min"})


@tensor_function()
def take(op: Emitter, x: Any, indices: Any, axis: int | None = None) -> ir.Value:
    """Return parts of a tensor along an axis; negative places count from the end.

    Args:
        x: tensor.
        indices: places, integers of any shape.
        axis: the axis; None: of the flattened tensor.

    Example:
        >>> take([10, 20, 30], [2, 0]).tolist()
        [30, 10]
    """
    x = tensor(op, x)
    if axis is None:
        x, axis = reshaped(op, x, [-1]), 0
    return op.Gather(x, places(op, indices), axis=axis_of(axis, rank_of(x)))


@tensor_function()
def take_along_axis(op: Emitter, x: Any, indices: Any, axis: int | None = None) -> ir.Value:
    """Return for each place the number that stands there in the same line.

    Args:
        x: tensor.
        indices: places along `axis`; of the other axes each is as long as that of x, or 1.
        axis: the axis; None: of the flattened tensors.
    """
    x, at = tensor(op, x), places(op, indices)
    if axis is None:
        x, at, axis = reshaped(op, x, [-1]), reshaped(op, at, [-1]), 0
    along = axis_of(axis, rank_of(x))
    mine, its = sizes_of(x), sizes_of(at)
    wide = [
        size if i == along or size != 1 else other
        for i, (size, other) in enumerate(zip(its, mine, strict=True))
    ]
    at = at if wide == its else expanded(op, at, wide)
    wide = [
        size if i == along or size != 1 else other
        for i, (size, other) in enumerate(zip(mine, its, strict=True))
    ]
    x = x if wide == mine else expanded(op, x, wide)
    return op.GatherElements(x, at, axis=along)


@tensor_function()
def where(op: Emitter, condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """Return x1 where a condition holds, else x2; without them, where it holds.

    Args:
        condition: bools; a number is True if it is not 0.
        x1: tensor or number.
        x2: tensor or number.

    Raises:
        ValueError: if just one of x1 and x2 is given.
    """
    if (x1 is None) != (x2 is None):
        raise ValueError("`x1` and `x2` either both should be `None` or both should be non-None.")
    if x1 is None:
        return nonzero(op, condition)
    x1, x2 = promoted(op, x1, x2)
    return op.Where(op.cast(tensor(op, condition), "bool"), x1, x2)


@tensor_function()
def select(op: Emitter, condlist: Any, choicelist: Any, default: Any = 0) -> ir.Value:
    """Return what belongs to the first condition that holds.

    Args:
        condlist: conditions, a list of tensors.
        choicelist: what is taken where each holds.
        default: what is taken where none does.
    """
    *choices, found = promoted(op, *choicelist, default)
    for condition, choice in reversed(list(zip(condlist, choices, strict=True))):
        found = op.Where(op.cast(tensor(op, condition), "bool"), choice, found)
    return found


@tensor_function()
def nonzero(op: Emitter, x: Any) -> tuple[ir.Value, ...]:
    """Return the places of what is not 0, a vector for each axis."""
    x = tensor(op, x)
    found = op.cast(op.NonZero(op.cast(x, "bool")), "int32")
    return tuple(op.Gather(found, np.array(axis), axis=0) for axis in range(rank_of(x)))


@tensor_function()
def slice(op: Emitter, inputs: Any, start_indices: Any, shape: Any) -> ir.Value:
    """Return a block of a tensor.

    Args:
        inputs: tensor.
        start_indices: where it begins, for each axis.
        shape: its sizes.
    """
    x = tensor(op, inputs)
    starts, sizes = _numbers(op, start_indices), _numbers(op, shape)
    axes = list(range(rank_of(x)))
    if isinstance(starts, list) and isinstance(sizes, list):
        known = isinstance(shape, list | tuple) and all(
            isinstance(a, int) for a in (*starts, *sizes)
        )
        if known:
            return op.Slice(x, starts, [a + n for a, n in zip(starts, sizes, strict=True)], axes)
        starts, sizes = vector(op, starts), vector(op, sizes)
    starts = vector(op, starts) if isinstance(starts, list) else starts
    ends = op.Add(starts, vector(op, sizes) if isinstance(sizes, list) else sizes)
    return op.Slice(x, starts, ends, axes)


@tensor_function()
def slice_update(op: Emitter, inputs: Any, start_indices: Any, updates: Any) -> ir.Value:
    """Return a tensor with a block of it replaced.

    Args:
        inputs: tensor.
        start_indices: where the block begins, for each axis.
        updates: the block.
    """
    x = tensor(op, inputs)
    updates = op.cast(tensor(op, updates, dtype_name(x)), dtype_name(x))
    starts = _numbers(op, start_indices)
    rank, sizes = rank_of(x), sizes_of(updates)
    lines = []
    for axis, size in enumerate(sizes):
        first = starts[axis] if isinstance(starts, list) else None
        if isinstance(size, int) and isinstance(first, int):
            line = op.constant(np.arange(first, first + size, dtype=np.int64))
        else:
            start = _start(op, starts, axis)
            line = op.Add(op.Range(_ZERO, scalar(op, size), _ONE), start)
        shaped = reshaped(op, line, [1] * axis + [-1] + [1] * (rank - axis - 1))
        lines.append(op.Unsqueeze(expanded(op, shaped, sizes), [-1]))
    return op.ScatterND(x, op.Concat(*lines, axis=-1), updates)


_ZERO: Final = np.array(0, np.int64)
_ONE: Final = np.array(1, np.int64)


@tensor_function()
def scatter(op: Emitter, indices: Any, values: Any, shape: Any) -> ir.Value:
    """Return zeros with values added at places.

    Args:
        indices: places, the last axis holds one coordinate for each of the first axes.
        values: what is added.
        shape: shape of the result.
    """
    values = tensor(op, values)
    zero = op.constant(np.array(0, values.dtype.numpy() if values.dtype else np.float32))
    zeros = expanded(op, zero, sizes_in(op, shape))
    return merged(op, zeros, _wide_places(op, indices), values, "add")


@tensor_function()
def scatter_update(
    op: Emitter, inputs: Any, indices: Any, updates: Any, reduction: str | None = None
) -> ir.Value:
    """Return a tensor with numbers replaced at places.

    Args:
        inputs: tensor.
        indices: places, the last axis holds one coordinate for each of the first axes.
        updates: the new numbers.
        reduction: None, or how new numbers and old ones become one: `"add"`, `"mul"`, `"max"` or
            `"min"`.

    Raises:
        ValueError: for another reduction.
    """
    if reduction not in _REDUCTIONS:
        raise ValueError(
            "`reduction` must be None, 'add', 'mul', 'max' or 'min'. "
            f"Received: reduction={reduction!r}"
        )
    x = tensor(op, inputs)
    updates = op.cast(tensor(op, updates, dtype_name(x)), dtype_name(x))
    at = _wide_places(op, indices)
    rest = [*sizes_of(at)[:-1], *sizes_of(x)[_coordinates(at) :]]
    if rank_of(updates) < len(rest):
        updates = expanded(op, updates, rest)
    if reduction is None:
        return op.ScatterND(x, at, updates)
    return merged(op, x, at, updates, reduction)


@tensor_function()
def unravel_index(op: Emitter, indices: Any, shape: Any) -> tuple[ir.Value, ...]:
    """Return the coordinates of places in a flattened tensor.

    Args:
        indices: places.
        shape: shape of the tensor.
    """
    rest = tensor(op, indices)
    found = []
    for size in reversed(plain_value(shape)):
        at = op.Mod(rest, size)
        rest = op.Div(op.Sub(rest, at), size)
        found.append(at)
    return tuple(reversed(found))


def places(op: Emitter, indices: Any) -> ir.Value:
    """Return places as ONNX takes them: int32 or int64."""
    found = tensor(op, indices)
    return found if dtype_name(found) in {"int32", "int64"} else op.cast(found, "int64")


def _wide_places(op: Emitter, indices: Any) -> ir.Value:
    return op.cast(tensor(op, indices), "int64")


def _coordinates(at: ir.Value) -> int:
    """How many coordinates places have."""
    size = static_shape(at)[-1]
    if not isinstance(size, int):
        raise ValueError(f"The last axis of `indices` must be known. Received: {static_shape(at)}")
    return size


def _numbers(op: Emitter, given: Any) -> Any:
    """A list of sizes, or an int64 vector."""
    if isinstance(given, ir.Value):
        return op.cast(given, "int64")
    return given_sizes(given)


def _start(op: Emitter, starts: Any, axis: int) -> ir.Value:
    """The start of an axis as a scalar."""
    if isinstance(starts, list):
        return scalar(op, starts[axis])
    return op.Gather(starts, np.array(axis), axis=0)
