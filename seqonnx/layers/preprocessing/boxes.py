"""Boxes: rectangles at random places of images."""

from __future__ import annotations

from typing import NamedTuple

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.ops.pixels import HEIGHT, WIDTH, extent, places


class Box(NamedTuple):
    """A rectangle in each image.

    Args:
        inside: whether a pixel is inside, (batch, 1, height, width).
        share: area of the rectangle in units of that of the image, (batch, 1, 1, 1).
    """

    inside: ir.Value
    share: ir.Value


def draw_box(op: Emitter, images: ir.Value, draws: Draws, width: ir.Value, height: ir.Value) -> Box:
    """Emit a rectangle of a size at a random place.

    Args:
        op: emitter.
        images: (batch, channels, height, width).
        draws: random numbers.
        width: width of the rectangle in units of that of the image, (batch, 1, 1, 1).
        height: its height, likewise.
    """
    across = _between(op, images, draws, width, WIDTH)
    down = _between(op, images, draws, height, HEIGHT)
    return Box(op.And(across, down), op.Mul(width, height))


def _between(op: Emitter, images: ir.Value, draws: Draws, share: ir.Value, axis: int) -> ir.Value:
    """Which rows or columns lie in an interval of a length at a random place."""
    size = extent(op, images, axis)
    length = op.Mul(share, size)
    start = op.Mul(draws.uniform(), op.Sub(size, length))
    place = op.Unsqueeze(places(op, images, axis), [0])
    return op.And(op.GreaterOrEqual(place, start), op.Less(place, op.Add(start, length)))
