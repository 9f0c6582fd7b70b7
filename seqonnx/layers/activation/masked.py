"""Softmax over the entries that count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import activations
from seqonnx.graph import Emitter, static_shape


def masked_softmax(
    op: Emitter,
    x: ir.Value,
    axis: int | Sequence[int],
    mask: ir.Value | None,
    *,
    zero: bool = True,
) -> ir.Value:
    """Emit a softmax over the entries that count.

    Args:
        op: emitter of the graph.
        x: value.
        axis: axis, or axes, along which the outputs sum to 1.
        mask: bool value that broadcasts to `x`, True where an entry counts; None: all do.
        zero: whether entries that do not count are 0 even where no other counts; else these share
            the sum evenly.
    """
    if mask is None:
        y: ir.Value = activations.softmax(op, x, axis)
        return y
    lowest = -3e4 if x.dtype == ir.DataType.FLOAT16 else -1e9
    y = activations.softmax(op, op.Where(mask, x, lowest), axis)
    return op.Where(mask, y, 0.0) if zero else y


def mask_for(op: Emitter, mask: Any, x: ir.Value) -> ir.Value:
    """Return the mask of a softmax as a bool value.

    Args:
        op: emitter of the graph.
        mask: a value or an array, of bool or of numbers: those above 0.5 count.
        x: the value that it is for.

    Raises:
        ValueError: if it cannot be broadcast to the value.
    """
    value: ir.Value = mask if isinstance(mask, ir.Value) else op.constant(np.asarray(mask), "mask")
    shapes = [tuple(d if isinstance(d, int) else None for d in static_shape(v)) for v in (value, x)]
    given, wanted = shapes
    pairs = zip(given[::-1], wanted[::-1], strict=False)
    fits = all(None in {have, want} or have in {1, want} for have, want in pairs)
    if len(given) > len(wanted) or not fits:
        raise ValueError(
            "The `mask` must be broadcastable to `inputs`. Each mask dimension must be 1 or match "
            f"the corresponding input dimension. Received: inputs.shape={wanted}, "
            f"mask.shape={given}"
        )
    if value.dtype == ir.DataType.BOOL:
        return value
    return op.Greater(op.cast(value, "float32"), 0.5)
