"""Masks of scores: which values a query may look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape


def as_mask(op: Emitter, mask: Any) -> ir.Value:
    """Return a mask as a bool value of the graph.

    Args:
        op: emitter of the graph.
        mask: a value, or an array or list of bool or of numbers (those that are not 0 count).
    """
    if not isinstance(mask, ir.Value):
        return op.constant(np.asarray(mask).astype(bool), "mask")
    return op.cast(mask, "bool")


def all_of(op: Emitter, masks: Sequence[ir.Value | None]) -> ir.Value | None:
    """Return what is True where all masks are; None where there is none."""
    both: ir.Value | None = None
    for mask in masks:
        if mask is not None:
            both = mask if both is None else op.And(both, mask)
    return both


def causal_mask(op: Emitter, query: ir.Value, value: ir.Value) -> ir.Value:
    """Return a mask of shape (queries, values), True where a value does not come after the query.

    Args:
        op: emitter of the graph.
        query: value whose axis 1 are the queries.
        value: value whose axis 1 are the values.
    """
    return op.GreaterOrEqual(op.Unsqueeze(_positions(op, query), [1]), _positions(op, value))


def window_mask(op: Emitter, query: ir.Value, value: ir.Value, width: int) -> ir.Value:
    """Return a mask of shape (queries, values), True where they are less than `width` apart."""
    apart = op.Sub(op.Unsqueeze(_positions(op, query), [1]), _positions(op, value))
    return op.Less(op.Abs(apart), np.asarray(width))


def with_axes(op: Emitter, mask: ir.Value, rank: int, axis: int) -> ir.Value:
    """Return a mask with axes of size 1 until it has as many as the scores.

    Args:
        op: emitter of the graph.
        mask: the mask.
        rank: number of axes of the scores.
        axis: where each axis is put in, counted from the end.
    """
    for have in range(len(static_shape(mask)), rank):
        # A mask without the batch gets it first.
        mask = op.Unsqueeze(mask, [max(have + 1 + axis, 0)])
    return mask


def _positions(op: Emitter, x: ir.Value) -> ir.Value:
    """The numbers of the places along axis 1."""
    size = static_shape(x)[1]
    if isinstance(size, int):
        return op.constant(np.arange(size), "positions")
    count = op.Squeeze(op.Shape(x, start=1, end=2), [0])
    return op.Range(np.asarray(0), count, np.asarray(1))
