"""Aspect: images cropped or padded to the ratio of height and width that is wanted."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.ops.pixels import HEIGHT, WIDTH

Size = tuple[int, int]


def crop_to_aspect(op: Emitter, images: ir.Value, target: Size) -> ir.Value:
    """Emit the largest part around the middle with the ratio of a size.

    Args:
        op: emitter.
        images: (batch, channels, height, width).
        target: height and width.
    """
    known = _known_size(images)
    if known is None:
        return _crop_by_shape(op, images, target)
    new = [max(min(a, b), 1) for a, b in zip(known, matching(known, target), strict=True)]
    starts = [(old - size) // 2 for old, size in zip(known, new, strict=True)]
    return crop(op, images, (starts[0], starts[1]), (new[0], new[1]))


def pad_to_aspect(op: Emitter, images: ir.Value, target: Size, fill_value: float) -> ir.Value:
    """Emit the images within a frame that gives them the ratio of a size; arguments as above.

    The frame is as wide on both sides. Its widths are given for all axes: ONNX Runtime (1.32) moves
    a Transpose through a Pad without regard to its `axes`.
    """
    known = _known_size(images)
    if known is None:
        return _pad_by_shape(op, images, target, fill_value)
    new = [max(a, b) for a, b in zip(known, matching(known, target), strict=True)]
    frame = [(size - old) // 2 for old, size in zip(known, new, strict=True)]
    if frame == [0, 0]:
        return images
    return op.Pad(images, [0, 0, *frame] * 2, fill_value, mode="constant")


def crop(op: Emitter, images: ir.Value, start: Size, size: Size) -> ir.Value:
    """Emit the part of images that starts at a row and column."""
    if start == (0, 0) and static_shape(images)[HEIGHT:] == size:
        return images
    ends = [first + length for first, length in zip(start, size, strict=True)]
    return op.Slice(images, list(start), ends, [HEIGHT, WIDTH])


def _known_size(images: ir.Value) -> Size | None:
    height, width = static_shape(images)[HEIGHT:]
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def matching(known: Size, target: Size) -> Size:
    """Return the height that fits the width, and the width that fits the height.

    Args:
        known: height and width of an image.
        target: height and width in the ratio that is wanted.

    Example:
        >>> matching((10, 6), (2, 3))
        (4, 15)
    """
    return known[1] * target[0] // target[1], known[0] * target[1] // target[0]


def _crop_by_shape(op: Emitter, images: ir.Value, target: Size) -> ir.Value:
    old = op.Shape(images, start=HEIGHT)
    new = op.Max(op.Min(old, _matching_by_shape(op, old, target)), [1, 1])
    starts = op.Div(op.Sub(old, new), [2, 2])
    made = op.Slice(images, starts, op.Add(starts, new), [HEIGHT, WIDTH])
    return _of_free_size(made, images)


def _pad_by_shape(op: Emitter, images: ir.Value, target: Size, fill_value: float) -> ir.Value:
    old = op.Shape(images, start=HEIGHT)
    new = op.Max(old, _matching_by_shape(op, old, target))
    frame = op.Div(op.Sub(new, old), [2, 2])
    none = op.constant(np.zeros(2, np.int64))
    whole = op.Concat(none, frame, none, frame, axis=0)
    return _of_free_size(op.Pad(images, whole, fill_value, mode="constant"), images)


def _of_free_size(made: ir.Value, images: ir.Value) -> ir.Value:
    """A value that is known to have the batch and channels of images, which inference loses."""
    made.shape = ir.Shape([*static_shape(images)[:HEIGHT], None, None])
    return made


def _matching_by_shape(op: Emitter, old: ir.Value, target: Size) -> ir.Value:
    """`matching` of a size that only a run knows."""
    turned = op.Slice(old, [-1], [-3], [0], [-1])
    return op.Div(op.Mul(turned, list(target)), [target[1], target[0]])
