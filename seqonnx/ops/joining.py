"""Tensors put together, and taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, static_shape
from seqonnx.ops.promotion import promoted, tensor
from seqonnx.ops.sizes import axis_of, expanded, rank_of, reshaped, size_of
from seqonnx.tensor_function import tensor_function


@tensor_function()
def concatenate(op: Emitter, xs: Any, axis: int | None = 0) -> ir.Value:
    """Return tensors joined along an axis that they have.

    Args:
        xs: tensors that differ in that axis alone.
        axis: the axis; None: the flattened tensors.

    Example:
        >>> concatenate([[1], [2, 3]]).tolist()
        [1, 2, 3]
    """
    parts = promoted(op, *_tensors(op, xs))
    if axis is None:
        parts, axis = [reshaped(op, part, [-1]) for part in parts], 0
    if len(parts) == 1:
        return parts[0]
    return op.Concat(*parts, axis=axis_of(axis, rank_of(parts[0])))


@tensor_function()
def stack(op: Emitter, x: Any, axis: int = 0) -> ir.Value:
    """Return tensors of one shape joined along a new axis."""
    parts = promoted(op, *_tensors(op, x))
    at = axis_of(axis, rank_of(parts[0]) + 1)
    wide = [op.Unsqueeze(part, [at]) for part in parts]
    return wide[0] if len(wide) == 1 else op.Concat(*wide, axis=at)


@tensor_function()
def append(op: Emitter, x1: Any, x2: Any, axis: int | None = None) -> ir.Value:
    """Return two tensors joined along an axis; None: flattened."""
    return concatenate(op, [x1, x2], axis)


@tensor_function()
def hstack(op: Emitter, xs: Any) -> ir.Value:
    """Return tensors joined along axis 1; vectors along their only one."""
    parts = [_at_least(op, x, 1) for x in _tensors(op, xs)]
    return concatenate(op, parts, 0 if rank_of(parts[0]) == 1 else 1)


@tensor_function()
def vstack(op: Emitter, xs: Any) -> ir.Value:
    """Return tensors joined along axis 0; vectors are rows."""
    return concatenate(op, [_at_least(op, x, 2) for x in _tensors(op, xs)], 0)


@tensor_function()
def dstack(op: Emitter, xs: Any) -> ir.Value:
    """Return tensors joined along axis 2, which vectors and matrices get."""
    return concatenate(op, [_at_least(op, x, 3) for x in _tensors(op, xs)], 2)


@tensor_function()
def split(op: Emitter, x: Any, indices_or_sections: Any, axis: int = 0) -> list[ir.Value]:
    """Return a tensor in parts.

    Args:
        x: tensor.
        indices_or_sections: a number of equal parts, or the places where parts begin.
        axis: the axis.

    Raises:
        ValueError: if the parts would not be equal, or the size is not known.
    """
    x = tensor(op, x)
    at = axis_of(axis, rank_of(x))
    given = plain_value(indices_or_sections)
    size = static_shape(x)[at]
    if isinstance(given, int) and isinstance(size, int) and size % given != 0:
        raise ValueError(
            f"Received indices_or_sections={given} (interpreted as a number of sections) and "
            f"axis={axis}, but input dimension x.shape[{axis}]={size} is not divisible by {given}. "
            f"Full input shape: x.shape={static_shape(x)}"
        )
    return _split(op, x, given, at)


@tensor_function()
def array_split(op: Emitter, x: Any, indices_or_sections: Any, axis: int = 0) -> list[ir.Value]:
    """Return a tensor in parts; the first are larger by 1 where it does not divide.

    Args:
        x: tensor.
        indices_or_sections: a number of parts, or the places where parts begin.
        axis: the axis.
    """
    x = tensor(op, x)
    at = axis_of(axis, rank_of(x))
    given = plain_value(indices_or_sections)
    if isinstance(given, int):
        size = _known(x, at, "array_split")
        small, more = divmod(size, given)
        given = np.cumsum([small + 1] * more + [small] * (given - more))[:-1].tolist()
    return _split(op, x, given, at)


@tensor_function()
def hsplit(op: Emitter, x: Any, indices_or_sections: Any) -> list[ir.Value]:
    """Return a tensor in parts along axis 1; a vector along its only one."""
    x = tensor(op, x)
    return split(op, x, indices_or_sections, 0 if rank_of(x) == 1 else 1)


@tensor_function()
def vsplit(op: Emitter, x: Any, indices_or_sections: Any) -> list[ir.Value]:
    """Return a tensor in parts along axis 0."""
    return split(op, x, indices_or_sections, 0)


@tensor_function()
def dsplit(op: Emitter, x: Any, indices_or_sections: Any) -> list[ir.Value]:
    """Return a tensor in parts along axis 2."""
    return split(op, x, indices_or_sections, 2)


@tensor_function()
def unstack(op: Emitter, x: Any, num: int | None = None, axis: int = 0) -> list[ir.Value]:
    """Return the parts of a tensor along an axis, which they do not have.

    Args:
        x: tensor.
        num: how many there are; needed where the graph does not know the size.
        axis: the axis.
    """
    x = tensor(op, x)
    at = axis_of(axis, rank_of(x))
    count = _known(x, at, "unstack") if num is None else num
    return [op.Squeeze(part, [at]) for part in _equal_parts(op, x, count, at)]


@tensor_function()
def meshgrid(op: Emitter, *x: Any, indexing: str = "xy") -> list[ir.Value]:
    """Return the coordinates of each point of a grid, one tensor for each axis.

    Args:
        *x: coordinates along each axis.
        indexing: `"xy"` (the first is along axis 1) or `"ij"` (along axis 0).
    """
    if indexing not in {"xy", "ij"}:
        raise ValueError(f"`indexing` must be 'xy' or 'ij'. Received: indexing={indexing!r}")
    lines = [reshaped(op, tensor(op, part), [-1]) for part in x]
    order = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        order[:2] = [1, 0]
    sizes = [size_of(lines[i], 0) for i in order]
    results = []
    for i, line in enumerate(lines):
        at = order.index(i)
        others = [a for a in range(len(lines)) if a != at]
        results.append(expanded(op, op.Unsqueeze(line, others) if others else line, sizes))
    return results


def _tensors(op: Emitter, xs: Any) -> list[ir.Value]:
    """Tensors of a list, or the parts of one tensor along its first axis."""
    if isinstance(xs, ir.Value):
        return unstack(op, xs)
    return [tensor(op, x) for x in xs]


def _at_least(op: Emitter, x: ir.Value, rank: int) -> ir.Value:
    """A tensor with at least so many axes: vectors are rows, matrices get a last axis."""
    have = rank_of(x)
    if have >= rank:
        return x
    before = [0] if have < 2 and rank > 1 and not (have == 0 and rank == 1) else []
    if have == 0:
        return op.Unsqueeze(x, [*range(rank)])
    behind = list(range(have + len(before), rank))
    return op.Unsqueeze(x, [*before, *behind])


def _split(op: Emitter, x: ir.Value, given: Any, axis: int) -> list[ir.Value]:
    """A tensor in equal parts, or cut at places."""
    if isinstance(given, int):
        return _equal_parts(op, x, given, axis)
    starts = [0, *given]
    ends = [*given, np.iinfo(np.int64).max]
    return [op.Slice(x, [a], [b], [axis]) for a, b in zip(starts, ends, strict=True)]


def _equal_parts(op: Emitter, x: ir.Value, count: int, axis: int) -> list[ir.Value]:
    if count == 1:
        return [x]
    parts: Sequence[ir.Value] = op.Split(x, axis=axis, num_outputs=count, _outputs=count)
    return list(parts)


def _known(x: ir.Value, axis: int, what: str) -> int:
    """The size of an axis.

    Raises:
        ValueError: if the graph does not know it.
    """
    size = static_shape(x)[axis]
    if not isinstance(size, int):
        raise ValueError(
            f"`{what}` must know how many parts there are, but the size of axis {axis} of "
            f"{static_shape(x)} is known only when the graph runs."
        )
    return size
