"""Sampling: images read at places between their pixels, and outside of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.ops.pixels import (
    HEIGHT,
    WIDTH,
    Extent,
    extent,
    last_place,
    middle,
    places,
)

_MODES: Final = {"nearest": "nearest", "bilinear": "linear"}
_PADDING: Final = {
    "constant": "zeros",
    "nearest": "border",
    "reflect": "reflection",
    "mirror": "reflection",
    "wrap": "zeros",
}


@dataclass(frozen=True)
class Reading:
    """How an image is read where it has no pixel.

    Args:
        interpolation: between pixels: `"nearest"` or `"bilinear"`.
        fill_mode: outside: `"constant"`, `"nearest"`, `"wrap"` (periodic), `"reflect"` (around
            the edge of the last pixel) or `"mirror"` (around its middle).
        fill_value: value outside, where `fill_mode` is `"constant"`.
    """

    interpolation: str = "bilinear"
    fill_mode: str = "reflect"
    fill_value: float = 0.0


def sample(op: Emitter, images: ir.Value, x: ir.Value, y: ir.Value, reading: Reading) -> ir.Value:
    """Emit the values of images at places.

    Args:
        op: emitter.
        images: (batch, channels, height, width).
        x: columns of the places, counted from 0, (batch, rows, columns).
        y: rows of the places, of the same shape.
        reading: how to read there.

    Returns:
        (batch, channels, rows, columns).
    """
    if reading.fill_mode == "wrap":
        x, y = _wrapped(op, images, x, WIDTH), _wrapped(op, images, y, HEIGHT)
        images = _with_first_again(op, images)
    shifted = reading.fill_mode == "constant" and reading.fill_value != 0.0
    corners = reading.fill_mode == "mirror"
    grid = op.Concat(
        _normalized(op, images, x, WIDTH, corners),
        _normalized(op, images, y, HEIGHT, corners),
        axis=-1,
    )
    made = op.GridSample(
        op.Sub(images, reading.fill_value) if shifted else images,
        grid,
        mode=_MODES[reading.interpolation],
        padding_mode=_PADDING[reading.fill_mode],
        align_corners=int(corners),
    )
    return op.Add(made, reading.fill_value) if shifted else made


def _normalized(
    op: Emitter, images: ir.Value, place: ir.Value, axis: int, corners: bool
) -> ir.Value:
    """Places as GridSample counts them: -1 and 1 are the edges, or the middles of the last pixels.

    Returned with an axis of size 1 behind.
    """
    size, last = extent(op, images, axis), last_place(op, images, axis)
    if corners:
        span = max(last, 1.0) if isinstance(last, float) else op.Max(last, 1.0)
        place = op.Sub(op.Div(op.Mul(place, 2.0), span), 1.0)
    else:
        place = op.Sub(op.Div(op.Add(op.Mul(place, 2.0), 1.0), size), 1.0)
    return op.Unsqueeze(place, [-1])


def _wrapped(op: Emitter, images: ir.Value, place: ir.Value, axis: int) -> ir.Value:
    """Places moved into the image by whole sizes of it."""
    size = extent(op, images, axis)
    return op.Sub(place, op.Mul(op.Floor(op.Div(place, size)), size))


def _with_first_again(op: Emitter, images: ir.Value) -> ir.Value:
    """Images with the first row and column once more behind the last."""
    for axis in (HEIGHT, WIDTH):
        images = op.Concat(images, op.Slice(images, [0], [1], [axis]), axis=axis)
    return images


@dataclass(frozen=True)
class Affine:
    """Where each pixel of a result lies in the image: (a x + b y + c, d x + e y + f).

    Every coefficient is a number, or one for each image, (batch, 1, 1).
    """

    a: Any = 1.0
    b: Any = 0.0
    c: Any = 0.0
    d: Any = 0.0
    e: Any = 1.0
    f: Any = 0.0


def transform(
    op: Emitter, images: ir.Value, affine: Affine, reading: Reading, *, centred: bool = True
) -> ir.Value:
    """Emit an affine transformation of images.

    Args:
        op: emitter.
        images: (batch, channels, height, width).
        affine: where to read.
        reading: how to read there.
        centred: whether x and y count from the middle of the image; else from its first pixel.

    Returns:
        Images of the same shape.
    """
    columns, rows = places(op, images, WIDTH), places(op, images, HEIGHT)
    middles: tuple[Extent, Extent] = (0.0, 0.0)
    if centred:
        middles = middle(op, images, WIDTH), middle(op, images, HEIGHT)
        columns, rows = op.Sub(columns, middles[0]), op.Sub(rows, middles[1])
    x = _combined(op, (affine.a, columns), (affine.b, rows), affine.c, middles[0])
    y = _combined(op, (affine.d, columns), (affine.e, rows), affine.f, middles[1])
    batch = op.Shape(images, start=0, end=1)
    whole = op.Concat(batch, op.Shape(images, start=HEIGHT, end=WIDTH + 1), axis=0)
    return sample(op, images, op.Expand(x, whole), op.Expand(y, whole), reading)


def _combined(
    op: Emitter, one: tuple[Any, ir.Value], other: tuple[Any, ir.Value], *added: Any
) -> ir.Value:
    """Emit the sum of two products and more, without what is 0 or multiplied by 1."""
    terms: list[Any] = [
        value if _is(factor, 1.0) else op.Mul(value, factor)
        for factor, value in (one, other)
        if not _is(factor, 0.0)
    ]
    total: ir.Value = terms[0]
    for term in [*terms[1:], *(part for part in added if not _is(part, 0.0))]:
        total = op.Add(total, term)
    return total


def _is(value: Any, number: float) -> bool:
    """Whether a value is known to be a number."""
    return isinstance(value, float) and value == number
