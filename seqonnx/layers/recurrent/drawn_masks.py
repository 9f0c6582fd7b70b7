"""Masks that drop inputs and states of a cell: drawn once, the same at every step."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, dtype_name, static_shape
from seqonnx.layers.recurrent.states import zeros
from seqonnx.layers.regularization.noise import emit_mask


def drawn_masks(
    op: Emitter, x: ir.Value, shape: Sequence[Dim], rate: float, count: int, *, axis: int
) -> list[ir.Value]:
    """Emit factors that keep the mean: 0 with probability `rate`, else 1 / (1 - rate).

    The batch is their first axis, so that the noise of a sample does not depend on its place.

    Args:
        op: emitter.
        x: a value with the batch and of the dtype of the masks.
        shape: shape of a mask without the batch.
        rate: share of zeros, from 0 to 1.
        count: number of masks.
        axis: axis of `x` that is the batch.
    """
    if rate == 1.0:
        return [zeros(op, x, shape, dtype_name(x), axis=axis)] * count
    whole = (static_shape(x)[axis], *shape)
    masks = (emit_mask(op, x, whole, rate) for _ in range(count))
    return [op.Mul(mask, 1.0 / (1.0 - rate)) for mask in masks]
