"""Parts of tensors by a key, as Python writes it: `x[1, :, None, places]`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.promotion import tensor
from seqonnx.ops.shaping import ordered
from seqonnx.ops.sizes import rank_of, vector
from seqonnx.tensor_function import tensor_function

_END: Final = np.iinfo(np.int64).max


@dataclass
class _Key:
    """A key, sorted into what the operators of ONNX do."""

    starts: list[Any] = field(default_factory=list)
    ends: list[Any] = field(default_factory=list)
    axes: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    integers: dict[int, int] = field(default_factory=dict)
    """Axes that an integer takes away."""
    places: dict[int, ir.Value] = field(default_factory=dict)
    """Axes that tensors of places read."""
    result: list[Any] = field(default_factory=list)
    """The axes of the result in order: of the tensor; None for a new one."""

    def slice(self, axis: int, part: slice) -> None:
        """Take a part of an axis."""
        step = 1 if part.step is None else int(part.step)
        if (part.start, part.stop, step) == (None, None, 1):
            return
        self.starts.append(_bound(part.start, 0 if step > 0 else _END))
        self.ends.append(_bound(part.stop, _END if step > 0 else -_END))
        self.axes.append(axis)
        self.steps.append(step)


@tensor_function()
def get_item(op: Emitter, x: Any, key: Any) -> ir.Value:
    """Return `x[key]`, as NumPy reads it.

    Args:
        x: tensor.
        key: an integer, a slice, None (a new axis), `...`, a tensor or list of integers, a tensor
            of bools, or a tuple of these.

    Raises:
        TypeError: for anything else.
        IndexError: if there are more parts than axes.

    Example:
        >>> get_item(np.arange(6.0).reshape(2, 3), (slice(None), -1)).tolist()
        [2.0, 5.0]
    """
    x = tensor(op, x)
    given = key if isinstance(key, tuple) else (key,)
    parts = [each for part in given for each in ([part] if _is_basic(part) else _places(op, part))]
    sorted_key, axis = _Key(), 0
    for part in _spread(parts, rank_of(x)):
        sorted_key.result.append(None if part is None else axis)
        if part is None:
            continue
        if isinstance(part, slice):
            sorted_key.slice(axis, part)
        elif isinstance(part, ir.Value):
            sorted_key.places[axis] = part
        else:
            sorted_key.integers[axis] = int(part)
        axis += 1
    if len(sorted_key.places) > 0:
        return _with_new(op, *_gathered(op, _sliced(op, x, sorted_key), sorted_key))
    for at, place in sorted_key.integers.items():
        sorted_key.slice(at, slice(place, None if place == -1 else place + 1))
    x, gone = _sliced(op, x, sorted_key), list(sorted_key.integers)
    x = op.Squeeze(x, gone) if gone else x
    return _with_new(op, x, [at for at in sorted_key.result if at not in gone])


def _gathered(op: Emitter, x: ir.Value, key: _Key) -> tuple[ir.Value, list[Any]]:
    """Return the numbers that tensors of places read, and their axes in order."""
    for at, place in key.integers.items():
        key.places[at] = op.constant(np.array(place, np.int64))
    axes = sorted(key.places)
    where = [i for i, at in enumerate(key.result) if at in key.places]
    if len(axes) == 1:
        places, front = key.places[axes[0]], False
        x = op.Gather(x, places, axis=axes[0])
    else:
        others = [at for at in range(rank_of(x)) if at not in axes]
        places = _together(op, [op.cast(key.places[at], "int64") for at in axes])
        x = op.GatherND(ordered(op, x, [*axes, *others]), places)
        front = where[-1] - where[0] >= len(where)
    more = rank_of(places) - (len(axes) > 1)
    read = [_Read(i) for i in range(more)]
    others_in_order = [at for at in key.result if at not in key.places or at is None]
    before = 0 if front else where[0]
    result = [*others_in_order[:before], *read, *others_in_order[before:]]
    if len(axes) > 1 and not front:
        own = sum(at is not None for at in others_in_order[:before])
        rank = rank_of(x)
        x = ordered(op, x, [*range(more, more + own), *range(more), *range(more + own, rank)])
    return x, result


@dataclass(frozen=True)
class _Read:
    """An axis of the tensors of places."""

    number: int


def _together(op: Emitter, places: list[ir.Value]) -> ir.Value:
    """Tensors of places, broadcast, with a last axis that tells them apart."""
    shape = places[0]
    for more in places[1:]:
        shape = op.Add(shape, more)
    size = op.Shape(shape)
    return op.Concat(*(op.Unsqueeze(op.Expand(p, size), [-1]) for p in places), axis=-1)


def _with_new(op: Emitter, x: ir.Value, result: list[Any]) -> ir.Value:
    """A tensor with new axes where the key has None."""
    new = [i for i, at in enumerate(result) if at is None]
    return op.Unsqueeze(x, new) if new else x


def _sliced(op: Emitter, x: ir.Value, key: _Key) -> ir.Value:
    if not key.axes:
        return x
    return op.Slice(x, vector(op, key.starts), vector(op, key.ends), key.axes, key.steps)


def _is_basic(part: Any) -> bool:
    """Whether a part of a key is no tensor."""
    integer = isinstance(part, int | np.integer) and not isinstance(part, bool)
    return part is None or part is Ellipsis or isinstance(part, slice) or integer


def _places(op: Emitter, part: Any) -> list[ir.Value]:
    """Tensors of places, one for each axis that they read."""
    places = tensor(op, part)
    dtype = dtype_name(places)
    if dtype == "bool" and rank_of(places) > 0:
        found = op.NonZero(places)
        return [op.Gather(found, np.array(axis), axis=0) for axis in range(rank_of(places))]
    if dtype in {"bool", "float16", "bfloat16", "float32", "float64"}:
        raise TypeError(
            "A key holds integers, slices, None, `...`, tensors of integers and tensors of bools. "
            f"Received: a tensor of {dtype}, {part}"
        )
    return [places if dtype in {"int32", "int64"} else op.cast(places, "int64")]


def _spread(parts: list[Any], rank: int) -> list[Any]:
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
