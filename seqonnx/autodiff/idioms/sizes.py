"""Values of a wanted size: reshaped, filled, spread. Sizes are constants where they are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import Dim, static_shape

_SMALL = 4096
"""Up to this many elements a constant of ones is stored rather than expanded at run time."""


def shaped(value: ir.Value, shape: ir.Shape | tuple[Dim, ...] | list[Dim] | None) -> ir.Value:
    """Note the shape of `value`, which inference may have lost; returns `value`."""
    if shape is not None:
        value.shape = ir.Shape(list(shape))
    return value


def reshape(op: RuleEmitter, value: ir.Value, shape: list[int]) -> ir.Value:
    """Reshape to constant sizes, also to none (a scalar); -1 is the one that follows."""
    return op.Reshape(value, shape if shape else np.zeros(0, np.int64))


def reshape_like(op: RuleEmitter, value: ir.Value, like: ir.Value) -> ir.Value:
    """Give `value` the shape of `like`."""
    if like.shape is not None:
        sizes = [d if isinstance(d, int) else -1 for d in static_shape(like)]
        if sizes.count(-1) <= 1 and 0 not in sizes:
            return shaped(reshape(op, value, sizes), like.shape)
    return shaped(op.Reshape(value, op.Shape(like), allowzero=1), like.shape)


def fill_like(op: RuleEmitter, like: ir.Value, number: float = 0.0) -> ir.Value:
    """Return a tensor of the shape and type of `like` that holds one number."""
    fill = ir.tensor([number], dtype=like.dtype)
    return shaped(op.ConstantOfShape(op.Shape(like), value=fill), like.shape)


def spread(op: RuleEmitter, value: ir.Value, like: ir.Value, scale: float = 1.0) -> ir.Value:
    """Broadcast `value` (same rank, some axes 1) to the shape of `like`, times a number.

    A product with a constant of ones is three times as fast as Expand (measured).
    """
    if value.shape is None or like.shape is None:
        return shaped(op.Expand(op.Mul(value, scale), op.Shape(like)), like.shape)
    have, want = static_shape(value), static_shape(like)
    if have == want and None not in have:
        return value if scale == 1.0 else op.Mul(value, scale)
    # Two unknown sizes need not be the same.
    grown = [1 if h == w and h is not None else w for h, w in zip(have, want, strict=True)]
    known = [d for d in grown if isinstance(d, int)]
    if len(known) == len(grown) and math.prod(known) <= _SMALL and like.dtype is not None:
        ones: npt.NDArray[np.generic] = np.full(known, scale, like.dtype.numpy())
        return shaped(op.Mul(value, ones), like.shape)
    scaled = value if scale == 1.0 else op.Mul(value, scale)
    return shaped(op.Expand(scaled, op.Shape(like)), like.shape)


def zero_pad(
    op: RuleEmitter,
    value: ir.Value,
    before: Sequence[int],
    after: Sequence[int],
    axes: Sequence[int],
) -> ir.Value:
    """Put zeros before and after along `axes`.

    Spelled out for every axis: with the operator's own input `axes`, ONNX Runtime 1.31 moves a
    Transpose past it wrongly and fails.
    """
    rank = len(static_shape(value))
    pads = [0] * (2 * rank)
    for axis, first, last in zip(axes, before, after, strict=True):
        pads[axis % rank], pads[axis % rank + rank] = first, last
    return op.Pad(value, pads)


def size_at(op: RuleEmitter, value: ir.Value, axis: int) -> ir.Value:
    """Return the size of one axis as a vector of one integer, read in the graph."""
    return op.Shape(value, start=axis, end=axis + 1)


def scalar(op: RuleEmitter, value: ir.Value) -> ir.Value:
    """Turn a vector of one element into a scalar."""
    return op.Squeeze(value, [0])


def positions(op: RuleEmitter, count: ir.Value) -> ir.Value:
    """Return 0, 1, ... below `count`, a vector of one integer."""
    return op.Range(np.int64(0), scalar(op, count), np.int64(1))
