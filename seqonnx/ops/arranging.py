"""The same numbers at other places: turned, repeated, padded."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.promotion import tensor
from seqonnx.ops.shaping import ordered
from seqonnx.ops.sizes import (
    Size,
    axes_of,
    axis_of,
    expanded,
    given_sizes,
    product,
    rank_of,
    reshaped,
    size_of,
    sizes_of,
)
from seqonnx.tensor_function import tensor_function

_END: Final = np.iinfo(np.int64).max
_MODES: Final = {
    "constant": "constant",
    "edge": "edge",
    "reflect": "reflect",
    "symmetric": "",
    "wrap": "wrap",
}
"""Keras's ways to pad, and ONNX's."""


@tensor_function()
def flip(op: Emitter, x: Any, axis: Any = None) -> ir.Value:
    """Return x in the reverse order.

    Args:
        x: tensor.
        axis: axis or axes; None: all.

    Example:
        >>> flip([1, 2, 3]).tolist()
        [3, 2, 1]
    """
    x = tensor(op, x)
    axes = axes_of(axis, rank_of(x))
    count = len(axes)
    return op.Slice(x, [-1] * count, [-_END] * count, axes, [-1] * count) if axes else x


@tensor_function()
def fliplr(op: Emitter, x: Any) -> ir.Value:
    """Return x with its columns (axis 1) in the reverse order."""
    return flip(op, x, 1)


@tensor_function()
def flipud(op: Emitter, x: Any) -> ir.Value:
    """Return x with its rows (axis 0) in the reverse order."""
    return flip(op, x, 0)


@tensor_function()
def rot90(op: Emitter, array: Any, k: int = 1, axes: Any = (0, 1)) -> ir.Value:
    """Return a tensor turned by right angles.

    Args:
        array: tensor of at least two axes.
        k: how many right angles, from the first axis to the second.
        axes: the plane.

    Raises:
        ValueError: if there are not two axes, or they are the same.
    """
    x = tensor(op, array)
    rank = rank_of(x)
    if rank < 2:
        raise ValueError(
            f"Input array must have at least 2 dimensions. Received: array.ndim={rank}"
        )
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ValueError(f"Invalid axes: {axes}. Axes must be a tuple of two different dimensions.")
    first, second = (axis_of(axis, rank) for axis in axes)
    order = list(range(rank))
    order[first], order[second] = second, first
    if k % 4 == 0:
        return x
    if k % 4 == 2:
        return flip(op, x, (first, second))
    turned = flip(op, x, second) if k % 4 == 1 else x
    turned = ordered(op, turned, order)
    return turned if k % 4 == 1 else flip(op, turned, second)


@tensor_function()
def roll(op: Emitter, x: Any, shift: Any, axis: Any = None) -> ir.Value:
    """Return x with its numbers moved along axes; those that leave come in at the other end.

    Args:
        x: tensor.
        shift: by how many places, for each axis.
        axis: axis or axes; None: the flattened tensor.
    """
    x = tensor(op, x)
    if axis is None:
        flat = roll(op, reshaped(op, x, [-1]), shift, 0)
        return reshaped(op, flat, sizes_of(x))
    shift, axis = plain_value(shift), plain_value(axis)
    axes = axis if isinstance(axis, list | tuple) else [axis]
    shifts = shift if isinstance(shift, list | tuple) else [shift] * len(axes)
    for by, a in zip(shifts, axes, strict=True):
        at = axis_of(a, rank_of(x))
        size = static_shape(x)[at]
        # Without the size a shift of more than it cannot be told from one of less.
        moved = by % size if isinstance(size, int) and size > 0 else by
        if moved != 0:
            first, rest = op.Slice(x, [-moved], [_END], [at]), op.Slice(x, [0], [-moved], [at])
            x = op.Concat(first, rest, axis=at)
    return tensor(op, x)


@tensor_function()
def tile(op: Emitter, x: Any, repeats: Any) -> ir.Value:
    """Return x, repeated as a whole along each axis.

    Args:
        x: tensor.
        repeats: how often along each axis; the last axes where there are fewer.
    """
    x = tensor(op, x)
    if isinstance(repeats, ir.Value) and rank_of(repeats) == 1:
        return op.Tile(x, op.cast(repeats, "int64"))
    times = given_sizes(repeats)
    rank = rank_of(x)
    if len(times) > rank:
        x = op.Unsqueeze(x, [*range(len(times) - rank)])
    times = [1] * (rank - len(times)) + times
    sizes = sizes_of(x)
    # Tile of ONNX gives what Expand gives where the sizes are 1, and copies where they are not.
    if all(isinstance(each, int) for each in times):
        return op.Tile(x, np.array(times, np.int64))
    pairs: list[Size] = []
    for each, size in zip(times, sizes, strict=True):
        pairs += [each, size]
    wide = expanded(op, op.Unsqueeze(x, [*range(0, 2 * len(sizes), 2)]), pairs)
    return reshaped(op, wide, [product(op, [a, b]) for a, b in zip(times, sizes, strict=True)])


@tensor_function()
def repeat(op: Emitter, x: Any, repeats: Any, axis: int | None = None) -> ir.Value:
    """Return x with each of its parts along an axis repeated.

    Args:
        x: tensor.
        repeats: how often: an integer, or a list of one for each part.
        axis: the axis; None: of the flattened tensor.

    Example:
        >>> repeat([1, 2], 2).tolist()
        [1, 1, 2, 2]
    """
    x = tensor(op, x)
    if axis is None:
        x, axis = reshaped(op, x, [-1]), 0
    at = axis_of(axis, rank_of(x))
    repeats = plain_value(repeats)
    if isinstance(repeats, list | tuple) and len(repeats) == 1:
        (repeats,) = repeats
    if isinstance(repeats, list | tuple):
        return op.Gather(x, np.repeat(np.arange(len(repeats)), repeats), axis=at)
    if isinstance(repeats, ir.Value) and rank_of(repeats) > 0:
        return op.Gather(x, _repeated_places(op, repeats), axis=at)
    (times,) = given_sizes(repeats)
    sizes = sizes_of(x)
    wide = expanded(op, op.Unsqueeze(x, [at + 1]), [*sizes[: at + 1], times, *sizes[at + 1 :]])
    total = product(op, [sizes[at], times])
    return reshaped(op, wide, [*sizes[:at], total, *sizes[at + 1 :]])


def _repeated_places(op: Emitter, repeats: ir.Value) -> ir.Value:
    """Each place as often as a vector says: how many runs have ended before each result."""
    ends = op.CumSum(op.cast(repeats, "int64"), np.array(0, np.int64))
    total = op.Squeeze(op.Slice(ends, [-1], [_END], [0]), [0])
    results = op.Range(np.array(0, np.int64), total, np.array(1, np.int64))
    ended = op.LessOrEqual(ends, op.Unsqueeze(results, [1]))
    return op.ReduceSum(op.cast(ended, "int64"), [1], keepdims=0)


@tensor_function()
def pad(
    op: Emitter,
    x: Any,
    pad_width: Any,
    mode: str = "constant",
    constant_values: Any = None,
) -> ir.Value:
    """Return x with numbers added around it.

    Args:
        x: tensor.
        pad_width: how many before and behind: a pair for each axis, one pair, or an integer.
        mode: `"constant"`, `"reflect"` (without the border), `"symmetric"` (with it), `"edge"`
            (the border itself) or `"wrap"` (from the other side).
        constant_values: the number; default 0.

    Raises:
        ValueError: if a constant is given for another mode, or the mode is not known.
    """
    if constant_values is not None and mode != "constant":
        raise ValueError(
            "Argument `constant_values` can only be provided when `mode == 'constant'`. "
            f"Received: mode={mode}"
        )
    if mode not in _MODES:
        raise ValueError(f"`mode` must be one of {', '.join(_MODES)}. Received: mode={mode!r}")
    x = tensor(op, x)
    rank = rank_of(x)
    widths = [list(pair) for pair in np.broadcast_to(plain_value(pad_width), (rank, 2)).tolist()]
    if mode == "symmetric":
        for axis, (before, behind) in enumerate(widths):
            x = _mirrored(op, x, axis, before, behind)
        return tensor(op, x)
    pads = np.array([pair[0] for pair in widths] + [pair[1] for pair in widths], np.int64)
    given = dtype_name(x)
    value = op.cast(x, "uint8") if given == "bool" else x
    inputs: list[Any] = [value, pads]
    if constant_values is not None:
        inputs.append(op.cast(tensor(op, constant_values, dtype_name(value)), dtype_name(value)))
    return op.cast(op.Pad(*inputs, mode=_MODES[mode]), given)


def _mirrored(op: Emitter, x: ir.Value, axis: int, before: int, behind: int) -> ir.Value:
    """A value with its border mirrored, the last numbers doubled."""
    parts = [x]
    if before > 0:
        parts.insert(0, op.Slice(x, [before - 1], [-_END], [axis], [-1]))
    if behind > 0:
        parts.append(op.Slice(x, [-1], [-behind - 1], [axis], [-1]))
    size = size_of(x, axis)
    if isinstance(size, int) and max(before, behind) > size:
        raise ValueError(
            f"`pad_width` of mode 'symmetric' is at most the size of the axis, {size}. "
            f"Received: {(before, behind)} for axis {axis}"
        )
    return parts[0] if len(parts) == 1 else op.Concat(*parts, axis=axis)
