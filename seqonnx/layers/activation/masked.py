"""Softmax over the entries that count."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx import activations
from seqonnx.graph import Emitter


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
