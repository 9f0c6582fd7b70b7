"""Parts of tensors: by slices, by places, by bools."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.promotion import tensor
from seqonnx.tensor_function import tensor_function

_END = np.iinfo(np.int64).max


@dataclass
class _Key:
    """A key, sorted into what the operators of ONNX do."""

    starts: list[Any] = field(default_factory=list)
    ends: list[Any] = field(default_factory=list)
    axes: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    """Axes, of the tensor, that an integer takes away."""
    new: list[int] = field(default_factory=list)
    """Axes, of the result, that None brings in."""
    places: tuple[int, ir.Value] | None = None
    """The axis that a tensor of places reads, and the places."""

    def slice(self, axis: int, start: Any, end: Any, step: int = 1) -> None:
        """Take a part of an axis."""
        self.starts.append(start)
        self.ends.append(end)
        self.axes.append(axis)
        self.steps.append(step)

    def take(self, op: Emitter, axis: int, part: Any) -> int:
        """Sort in what the key has for an axis; returns the number of axes of the result."""
        if isinstance(part, slice):
            step = 1 if part.step is None else int(part.step)
            if (part.start, part.stop, step) != (None, None, 1):
                start = _bound(part.start, 0 if step > 0 else _END)
                self.slice(axis, start, _bound(part.stop, _END if step > 0 else -_END), step)
            return 1
        if isinstance(part, int | np.integer) and not isinstance(part, bool):
            self.slice(axis, int(part), _END if part == -1 else int(part) + 1)
            self.dropped.append(axis)
            return 0
        places = tensor(op, part)
        if dtype_name(places) == "bool" or self.places is not None:
            raise TypeError(
                "A key has at most one tensor, of integers: what bools select has no shape that "
                f"is known. Use `seqonnx.ops.where` or `seqonnx.ops.take`. Received: {part}"
            )
        self.places = axis, places
        return len(static_shape(places))


@tensor_function()
def get_item(op: Emitter, x: Any, key: Any) -> ir.Value:
    """Return `x[key]`, as NumPy reads it.

    Args:
        x: tensor.
        key: an integer, a slice, None (a new axis), `...`, a tensor of integers, or a tuple of
            these with at most one tensor.

    Raises:
        TypeError: for anything else.
        IndexError: if there are more parts than axes.

    Example:
        >>> get_item(np.arange(6.0).reshape(2, 3), (slice(None), -1)).tolist()
        [2.0, 5.0]
    """
    x = tensor(op, x)
    sorted_key, axis, rank = _Key(), 0, 0
    for part in _spread(key if isinstance(key, tuple) else (key,), len(static_shape(x))):
        if part is None:
            sorted_key.new.append(rank)
            rank += 1
        else:
            rank += sorted_key.take(op, axis, part)
            axis += 1
    if sorted_key.axes:
        starts, ends = _vector(op, sorted_key.starts), _vector(op, sorted_key.ends)
        x = op.Slice(x, starts, ends, sorted_key.axes, sorted_key.steps)
    dropped = sorted_key.dropped
    if sorted_key.places is not None:
        at, places = sorted_key.places
        more = len(static_shape(places)) - 1
        x = op.Gather(x, places, axis=at)
        dropped = [place if place < at else place + more for place in dropped]
    if dropped:
        x = op.Squeeze(x, dropped)
    return op.Unsqueeze(x, sorted_key.new) if sorted_key.new else x


def _spread(parts: tuple[Any, ...], rank: int) -> list[Any]:
    """A key with `...` written out, one part for each axis."""
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if used > rank:
        raise IndexError(f"Too many indices: the tensor has {rank} axes. Received: {parts}")
    fill = [slice(None)] * (rank - used)
    if not any(part is Ellipsis for part in parts):
        return [*parts, *fill]
    at = next(i for i, part in enumerate(parts) if part is Ellipsis)
    return [*parts[:at], *fill, *parts[at + 1 :]]


def _bound(given: Any, default: int) -> Any:
    return default if given is None else given if isinstance(given, ir.Value) else int(given)


def _vector(op: Emitter, sizes: list[Any]) -> Any:
    """Integers and scalar values as one vector."""
    if not any(isinstance(size, ir.Value) for size in sizes):
        return sizes
    parts = [
        op.Reshape(op.cast(size, "int64"), [1])
        if isinstance(size, ir.Value)
        else op.constant(np.array([size], np.int64))
        for size in sizes
    ]
    return op.Concat(*parts, axis=0)
