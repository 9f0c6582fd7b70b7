"""Sizes of images and places of their pixels: known, or read in the graph."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name, ir_dtype, static_shape

HEIGHT, WIDTH = 2, 3
"""Axes of (batch, channels, height, width)."""

Extent = float | ir.Value


def extent(op: Emitter, images: ir.Value, axis: int) -> Extent:
    """Return the size of an axis as a number of the dtype of the images.

    Args:
        op: emitter.
        images: (batch, channels, height, width).
        axis: `HEIGHT` or `WIDTH`.
    """
    size = static_shape(images)[axis]
    if isinstance(size, int):
        return float(size)
    return op.Cast(op.Shape(images, start=axis, end=axis + 1), to=ir_dtype(dtype_name(images)))


def places(op: Emitter, images: ir.Value, axis: int) -> ir.Value:
    """Return 0, 1, ... for the rows, (1, height, 1), or the columns, (1, 1, width)."""
    size, dtype = static_shape(images)[axis], dtype_name(images)
    if isinstance(size, int):
        row = op.constant(np.arange(size).astype(ir_dtype(dtype).numpy()), "places")
    else:
        length = op.Squeeze(op.Shape(images, start=axis, end=axis + 1), [0])
        row = op.Cast(op.Range(0, length, 1), to=ir_dtype(dtype))
    return op.Unsqueeze(row, [0, 2] if axis == HEIGHT else [0, 1])


def last_place(op: Emitter, images: ir.Value, axis: int) -> Extent:
    """Return the place of the last row or column."""
    size = extent(op, images, axis)
    return size - 1.0 if isinstance(size, float) else op.Sub(size, 1.0)


def middle(op: Emitter, images: ir.Value, axis: int) -> Extent:
    """Return the place of the middle of the rows or columns."""
    last = last_place(op, images, axis)
    return last / 2.0 if isinstance(last, float) else op.Mul(last, 0.5)


def known_size(op: Emitter, images: ir.Value, what: str) -> tuple[int, int]:
    """Return the height and width of images.

    Args:
        op: emitter.
        images: (batch, channels, height, width).
        what: class of the layer that needs them.

    Raises:
        ValueError: if they are not known.
    """
    height, width = static_shape(images)[HEIGHT:]
    if not isinstance(height, int) or not isinstance(width, int):
        raise ValueError(
            f"{what} requires the input to have a fully defined height and width. Received: "
            f"height and width {(height, width)} in layer '{op.scope_name}'. Give the model's "
            "`Input` a fixed shape."
        )
    return height, width
