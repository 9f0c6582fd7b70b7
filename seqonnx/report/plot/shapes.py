"""Shapes that a picture consists of: rectangles, lines, arrows and texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Point = tuple[float, float]

_NARROW: Final = frozenset("ijlIft.,:;|!'()[] ")
_WIDE: Final = frozenset("mwMW%@")


@dataclass(frozen=True)
class DrawnBox:
    """A rectangle; `fill` and `stroke` are colours or None."""

    x: float
    y: float
    width: float
    height: float
    fill: str | None
    stroke: str | None = None
    dashed: bool = False


@dataclass(frozen=True)
class DrawnText:
    """A line of text, which begins at `x` or has its middle there; `y` is its middle."""

    x: float
    y: float
    text: str
    size: float
    color: str
    bold: bool = False
    centred: bool = True


@dataclass(frozen=True)
class DrawnLine:
    """A line through points."""

    points: tuple[Point, ...]
    color: str


@dataclass(frozen=True)
class DrawnPolygon:
    """A filled polygon."""

    points: tuple[Point, ...]
    fill: str


Shape2D = DrawnBox | DrawnText | DrawnLine | DrawnPolygon


@dataclass(frozen=True)
class Picture2D:
    """Shapes in the order in which they are drawn, in pixels of 1/96 inch."""

    width: float
    height: float
    shapes: tuple[Shape2D, ...]


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return about how wide a text is in a sans-serif font."""
    total = sum(
        0.32 if c in _NARROW else 0.88 if c in _WIDE else 0.68 if c.isupper() else 0.57
        for c in text
    )
    return total * size * (1.06 if bold else 1.0)
