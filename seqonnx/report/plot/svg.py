"""Pictures as SVG."""

from __future__ import annotations

from html import escape

from seqonnx.report.plot.shapes import (
    DrawnBox,
    DrawnLine,
    DrawnPolygon,
    DrawnText,
    Picture2D,
    Point,
    Shape2D,
)

_FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"


def svg_of(picture: Picture2D) -> str:
    """Return a picture as the text of an SVG file."""
    width, height = _number(picture.width), _number(picture.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{_FONT}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(_element(shape) for shape in picture.shapes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _element(shape: Shape2D) -> str:
    match shape:
        case DrawnBox(x, y, width, height, fill, stroke, dashed):
            line = f' stroke="{stroke}"' if stroke else ""
            dashes = ' stroke-dasharray="5 4"' if dashed else ""
            size = f'width="{_number(width)}" height="{_number(height)}"'
            at = f'x="{_number(x)}" y="{_number(y)}"'
            return f'<rect {at} {size} fill="{fill or "none"}"{line}{dashes}/>'
        case DrawnText(x, y, text, size, color, bold, centred):
            anchor = ' text-anchor="middle"' if centred else ""
            weight = ' font-weight="bold"' if bold else ""
            baseline = _number(y + size * 0.35)
            return (
                f'<text x="{_number(x)}" y="{baseline}" font-size="{_number(size)}" '
                f'fill="{color}"{anchor}{weight}>{escape(text)}</text>'
            )
        case DrawnLine(points, color):
            return (
                f'<polyline points="{_points(points)}" fill="none" stroke="{color}" '
                'stroke-width="1.3" stroke-linejoin="round"/>'
            )
        case DrawnPolygon(points, fill):
            return f'<polygon points="{_points(points)}" fill="{fill}"/>'


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
