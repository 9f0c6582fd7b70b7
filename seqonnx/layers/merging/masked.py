"""Merging of entries that count: products and extremes leave out those that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.core.masking import any_of_last

Masks = Sequence[ir.Value | None]


def masked_product(op: Emitter, x: Sequence[ir.Value], masks: Masks) -> ir.Value:
    """Emit the product of the inputs that count; 0 where none does.

    Args:
        op: emitter of the graph.
        x: values of one rank.
        masks: the mask of each, or None.
    """
    wide = [_widened(op, mask, value) for value, mask in zip(x, masks, strict=True)]
    factors = [
        value if mask is None else op.Where(mask, value, 1.0)
        for value, mask in zip(x, wide, strict=True)
    ]
    product = reduce(op.Mul, factors)
    known = [mask for mask in wide if mask is not None]
    if len(known) < len(wide):
        return product
    return op.Where(reduce(op.Or, known), product, 0.0)


def masked_extreme(
    op: Emitter,
    x: Sequence[ir.Value],
    masks: Masks,
    merge: Callable[[ir.Value, ir.Value], ir.Value],
) -> ir.Value:
    """Emit the largest or smallest of the inputs that count.

    Args:
        op: emitter of the graph.
        x: values of one rank.
        masks: the mask of each, or None.
        merge: emits the largest or smallest of two.
    """
    first, *others = zip(x, masks, strict=True)
    y, own = first[0], _widened(op, first[1], first[0])
    for value, given in others:
        mask = _widened(op, given, value)
        other = value if mask is None else op.Where(mask, value, y)
        y = y if own is None else op.Where(own, y, other)
        own = op.Or(own, mask) if own is not None and mask is not None else None
        y = merge(y, other)
    return y


def joined_masks(
    op: Emitter, parts: Sequence[ir.Value], where: Sequence[bool], axis: int
) -> ir.Value:
    """Emit the mask of values that are joined.

    Args:
        op: emitter of the graph.
        parts: the values, then the masks of those that have one.
        where: for each value, whether it has one.
        axis: the axis that is joined, counted with the batch.
    """
    values, masks = parts[: len(where)], list(parts[len(where) :])
    wide = []
    for value, masked in zip(values, where, strict=True):
        mask = (
            masks.pop(0) if masked else op.constant(np.ones((1,) * len(static_shape(value)), bool))
        )
        known = _widened(op, mask, value)
        assert known is not None
        wide.append(op.Expand(known, op.Shape(value)))
    return any_of_last(op, op.Concat(*wide, axis=axis))


def _widened(op: Emitter, mask: ir.Value | None, x: ir.Value) -> ir.Value | None:
    """A mask with axes of size 1 at its end, until it has as many as its value."""
    if mask is None:
        return None
    missing = range(len(static_shape(mask)), len(static_shape(x)))
    return op.Unsqueeze(mask, list(missing)) if len(missing) > 0 else mask
