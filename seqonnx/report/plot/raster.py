"""Pictures as pixels, drawn by Pillow."""

from __future__ import annotations

from typing import Any, Final

from seqonnx.data.images import Picture, require_pillow
from seqonnx.report.plot.shapes import (
    DrawnBox,
    DrawnLine,
    DrawnPolygon,
    DrawnText,
    Picture2D,
    Point,
    Shape2D,
)

_FINE: Final = 2
"""Pixels are drawn this many times smaller and then averaged, which smooths lines."""


def pixels_of(picture: Picture2D, dpi: float) -> Picture:
    """Return a picture as a PIL image.

    Args:
        picture: the shapes.
        dpi: pixels per inch.

    Raises:
        ImportError: if Pillow is not installed.
    """
    image = require_pillow()
    from PIL import ImageDraw

    scale = dpi / 96
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    canvas = image.new("RGB", (size[0] * _FINE, size[1] * _FINE), "#ffffff")
    draw = ImageDraw.Draw(canvas)
    for shape in picture.shapes:
        _draw(draw, shape, scale * _FINE)
    return canvas.resize(size, image.Resampling.BOX)


def _draw(draw: Any, shape: Shape2D, scale: float) -> None:
    match shape:
        case DrawnBox(x, y, width, height, fill, stroke, dashed):
            corners = [(x * scale, y * scale), ((x + width) * scale, (y + height) * scale)]
            thick = max(round(scale), 1)
            if dashed:
                draw.rectangle(corners, fill=fill)
                _dash(draw, (x, y, x + width, y + height), str(stroke), scale)
            else:
                draw.rectangle(corners, fill=fill, outline=stroke, width=thick if stroke else 0)
        case DrawnText(x, y, text, size, color, bold, centred):
            from PIL import ImageFont

            font = ImageFont.load_default(size * scale)
            stroke_width = 0.022 * size * scale if bold else 0
            anchor = "mm" if centred else "lm"
            place = (x * scale, y * scale)
            draw.text(place, text, color, font, anchor, stroke_width=stroke_width)
        case DrawnLine(points, color):
            width = max(round(1.3 * scale), 1)
            draw.line(_scaled(points, scale), fill=color, width=width, joint="curve")
        case DrawnPolygon(points, fill):
            draw.polygon(_scaled(points, scale), fill=fill)


def _scaled(points: tuple[Point, ...], scale: float) -> list[Point]:
    return [(x * scale, y * scale) for x, y in points]


def _dash(draw: Any, box: tuple[float, float, float, float], color: str, scale: float) -> None:
    """Draw a dashed rectangle, as SVG's `stroke-dasharray` of 5 and 4 pixels."""
    left, top, right, bottom = box
    thick = max(round(scale), 1)
    for y in (top, bottom):
        for k in range(int((right - left) // 9) + 1):
            ends = (left + 9 * k, y, min(left + 9 * k + 5, right), y)
            draw.line([end * scale for end in ends], fill=color, width=thick)
    for x in (left, right):
        for k in range(int((bottom - top) // 9) + 1):
            ends = (x, top + 9 * k, x, min(top + 9 * k + 5, bottom))
            draw.line([end * scale for end in ends], fill=color, width=thick)
