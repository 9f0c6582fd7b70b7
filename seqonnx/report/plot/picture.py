"""The picture of a model: boxes of layers, frames around models inside, and arrows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from seqonnx.report.plot.graph import PlotGroup, PlotLayer, Port
from seqonnx.report.plot.layout import Link, laid_out
from seqonnx.report.plot.routes import routes
from seqonnx.report.plot.shapes import (
    DrawnBox,
    DrawnLine,
    DrawnPolygon,
    DrawnText,
    Picture2D,
    Point,
    Shape2D,
    text_width,
)

RANK_DIRECTIONS: Final = ("TB", "LR", "BT", "RL")

_MARGIN: Final = 16.0
_INSET: Final = 14.0
_LABEL: Final = 20.0
_EDGE_ROOM: Final = 6.0
_TITLE: Final = 13.0
_SMALL: Final = 11.0
_PAD: Final = 12.0
_LINE: Final = 18.0
_ARROW: Final = 7.0

_INK: Final = "#2f3e55"
_INPUT: Final = "#5f7590"
_BODY: Final = "#f4f6f9"
_EDGE: Final = "#55637a"
_FRAME: Final = "#8a97aa"
_LIGHT: Final = "#d5dde8"
_GREEN: Final = "#2e7d46"
_RED: Final = "#b03a3a"


class _Stand(Protocol):
    """A box or a frame: its size, across and along, and where its ends are, from its middle."""

    size: tuple[float, float]
    entries: tuple[float, ...]
    exits: tuple[float, ...]

    def draw(self, across: float, along: float) -> list[Shape2D]:
        """Return its shapes; its first corner is at (across, along)."""


@dataclass
class _Compass:
    """From (across, along) to (x, y), for a direction of the flow; `length` is of the picture."""

    direction: str
    length: float = 0.0

    @property
    def lies(self) -> bool:
        """Whether the flow is horizontal."""
        return self.direction in {"LR", "RL"}

    @property
    def turned(self) -> bool:
        """Whether the flow goes up or to the left."""
        return self.direction in {"BT", "RL"}

    def swap(self, pair: tuple[float, float]) -> tuple[float, float]:
        """Sizes (across, along) of (width, height), and the other way round."""
        return (pair[1], pair[0]) if self.lies else pair

    def point(self, across: float, along: float) -> Point:
        """The point in the picture."""
        return self.swap((across, self.length - along if self.turned else along))

    def corner(self, across: float, along: float, size: tuple[float, float]) -> Point:
        """The upper left corner of a box that begins at (across, along)."""
        return self.swap((across, self.length - along - size[1] if self.turned else along))

    def insets(self) -> tuple[float, float, float, float]:
        """Room in a frame before and after its parts, across and along; the name is above."""
        if self.lies:
            return _INSET + _LABEL, _INSET, _EDGE_ROOM, _EDGE_ROOM
        along = (_EDGE_ROOM, _LABEL) if self.turned else (_LABEL, _EDGE_ROOM)
        return _INSET, _INSET, *along


def picture_of(graph: PlotGroup, rankdir: str, splines: str) -> Picture2D:
    """Draw a model.

    Args:
        graph: its layers.
        rankdir: one of `RANK_DIRECTIONS`: from top to bottom, left to right, and so on.
        splines: how connections run; see `routes`.
    """
    compass = _Compass(rankdir)
    whole = _Frame(graph, compass, splines, framed=False)
    size = (whole.size[0] + 2 * _MARGIN, whole.size[1] + 2 * _MARGIN)
    compass.length = size[1]
    return Picture2D(*compass.swap(size), tuple(whole.draw(_MARGIN, _MARGIN)))


class _Frame:
    """A model: its parts laid out; with a frame and its name if it stands in another one.

    Its inputs are boxes of no size before its parts, and its outputs are such after them.
    """

    def __init__(self, graph: PlotGroup, compass: _Compass, splines: str, framed: bool) -> None:
        self.graph, self.compass, self.splines, self.framed = graph, compass, splines, framed
        self.stands: list[_Stand] = [
            _Frame(part, compass, splines, framed=True)
            if isinstance(part, PlotGroup)
            else _LayerBox(part, compass)
            for part in graph.parts
        ]
        self.before = len(graph.entries) if framed else 0
        after = len(graph.exits) if framed else 0
        self.end = self.before + len(self.stands)
        self.boxes = {
            number
            for number, part in enumerate(graph.parts, self.before)
            if isinstance(part, PlotLayer)
        }
        self.loops: list[int] = []
        self.links = list(self._links())
        none = (0.0, 0.0)
        self.sizes = [none] * self.before + [s.size for s in self.stands] + [none] * after
        first, last = range(self.before), range(self.end, self.end + after)
        self.layout = laid_out(self.sizes, self.links, first, last)
        self.insets = compass.insets() if framed else (0.0, 0.0, 0.0, 0.0)
        self.size, self.begin = self._fit()
        self.entries = tuple(self._across(number) for number in first)
        self.exits = tuple(self._across(number) for number in last)

    def _links(self) -> Iterator[Link]:
        """Connections between the boxes, by their numbers."""
        numbers = {part.key: n + self.before for n, part in enumerate(self.graph.parts)}

        def entry(port: Port) -> float:
            return self.stands[numbers[port.key] - self.before].entries[port.number]

        def exit_(port: Port) -> float:
            return self.stands[numbers[port.key] - self.before].exits[port.number]

        for k in range(self.before):
            for port in self.graph.entries[k]:
                yield Link(k, numbers[port.key], 0.0, entry(port))
        for source, target in self.graph.edges:
            if source.key == target.key:
                self.loops.append(numbers[source.key])
            else:
                yield Link(numbers[source.key], numbers[target.key], exit_(source), entry(target))
        for k, given in enumerate(self.graph.exits if self.framed else ()):
            if given is not None:
                yield Link(numbers[given.key], self.end + k, exit_(given), 0.0)

    def _fit(self) -> tuple[tuple[float, float], float]:
        """The size with the frame, and where parts begin; the name is left of the middle."""
        across, along = self.layout.size
        across += self.insets[0] + self.insets[1]
        name = 2 * (self._name_width() + _INSET) if self.framed else 0.0
        least = self.compass.swap((name, 0.0))
        wide = max(across, least[0])
        along = max(along + self.insets[2] + self.insets[3], least[1])
        return (wide, along), self.insets[0] + (wide - across) / 2

    def _name_width(self) -> float:
        return text_width(self.graph.label, _SMALL, bold=True)

    def _across(self, number: int) -> float:
        """Where a box is, from the middle of the frame."""
        return self.layout.centres[number][0] + self.begin - self.size[0] / 2

    def draw(self, across: float, along: float) -> list[Shape2D]:
        """Return its shapes; its first corner is at (across, along)."""
        x, y = self.compass.corner(across, along, self.size)
        shapes: list[Shape2D] = []
        if self.framed:
            size = self.compass.swap(self.size)
            shapes.append(DrawnBox(x, y, *size, "#ffffff", _FRAME, dashed=True))
        shapes += self._draw_links(across, along)
        left, top = across + self.begin, along + self.insets[2]
        for number, stand in enumerate(self.stands, self.before):
            a, b = self.layout.centres[number]
            shapes += stand.draw(left + a - stand.size[0] / 2, top + b - stand.size[1] / 2)
        if self.framed:
            shapes.append(DrawnText(x + 10, y + 12, self.graph.label, _SMALL, _EDGE, True, False))
        return shapes

    def _draw_links(self, across: float, along: float) -> list[Shape2D]:
        shapes: list[Shape2D] = []
        left, top = across + self.begin, along + self.insets[2]
        ends = [self._ends(link) for link in self.links]
        fixed = [link.target >= self.end for link in self.links]
        lines = routes(self.layout, ends, fixed, self.splines)
        for link, points in zip(self.links, lines, strict=True):
            line = [(left + a, top + b) for a, b in points]
            if link.source < self.before:  # from the frame to an input
                line.insert(0, (line[0][0], along))
            if link.target >= self.end:
                line.append((line[-1][0], along + self.size[1]))
            arrow = link.target in self.boxes
            shapes += _arrow([self.compass.point(*point) for point in line], arrow)
        for number in self.loops:
            a, b = self.layout.centres[number]
            side = left + a + self.sizes[number][0] / 2
            corners = [(0.0, -7.0), (15.0, -7.0), (15.0, 7.0), (0.0, 7.0)]
            points = [self.compass.point(side + i, top + b + j) for i, j in corners]
            shapes += _arrow(points, True)
        return shapes

    def _ends(self, link: Link) -> tuple[float, float]:
        """Where a link leaves a box and reaches another, along, in the direction of the flow."""
        first, second = sorted((link.source, link.target))
        return (
            self.layout.centres[first][1] + self.sizes[first][1] / 2,
            self.layout.centres[second][1] - self.sizes[second][1] / 2,
        )


class _LayerBox:
    """A layer: its name, its class, and what is to be said of it."""

    def __init__(self, layer: PlotLayer, compass: _Compass) -> None:
        self.layer, self.compass = layer, compass
        self.column = 10 + max((text_width(word, _SMALL) for word, _ in layer.facts), default=0.0)
        widths = [
            text_width(layer.title, _TITLE, bold=True),
            text_width(layer.class_name, _SMALL),
            *(self.column + text_width(told, _SMALL, bold=True) for _, told in layer.facts),
            text_width("Non-trainable", _SMALL) if layer.trained is not None else 0.0,
        ]
        self.head = 28.0 if layer.class_name == "" else 42.0
        height = self.head + (8.0 + _LINE * len(layer.facts) if layer.facts else 0.0)
        height += _LINE + 2 if layer.trained is not None else 0.0
        self.size = compass.swap((max(70.0, max(widths) + 2 * _PAD), height))
        self.entries: tuple[float, ...] = (0.0,)
        self.exits: tuple[float, ...] = (0.0,)

    def draw(self, across: float, along: float) -> list[Shape2D]:
        """Return its shapes; its first corner is at (across, along)."""
        layer = self.layer
        x, y = self.compass.corner(across, along, self.size)
        width, height = self.compass.swap(self.size)
        middle = x + width / 2
        colour = _INPUT if layer.is_input else _INK
        shapes: list[Shape2D] = [
            DrawnBox(x, y, width, height, _BODY),
            DrawnBox(x, y, width, self.head, colour),
        ]
        if layer.class_name == "":
            shapes.append(DrawnText(middle, y + 14, layer.title, _TITLE, "#ffffff", bold=True))
        else:
            shapes.append(DrawnText(middle, y + 15, layer.title, _TITLE, "#ffffff", bold=True))
            shapes.append(DrawnText(middle, y + 31, layer.class_name, _SMALL, _LIGHT))
        for k, (word, told) in enumerate(layer.facts):
            line = y + self.head + 4 + _LINE * (k + 0.5)
            shapes.append(DrawnText(x + _PAD, line, word, _SMALL, _EDGE, centred=False))
            start = x + _PAD + self.column
            shapes.append(DrawnText(start, line, told, _SMALL, _INK, bold=True, centred=False))
        if layer.trained is not None:
            fill = _GREEN if layer.trained else _RED
            strip = y + height - _LINE - 2
            word = "Trainable" if layer.trained else "Non-trainable"
            shapes.append(DrawnBox(x, strip, width, _LINE + 2, fill))
            shapes.append(DrawnText(middle, strip + 10, word, _SMALL, "#ffffff"))
        shapes.append(DrawnBox(x, y, width, height, None, colour))
        return shapes


def _arrow(points: list[Point], head: bool) -> list[Shape2D]:
    """A line, with an arrow at its end if that is at a box."""
    if not head or len(points) < 2:
        return [DrawnLine(tuple(points), _EDGE)]
    (x0, y0), (x1, y1) = points[-2:]
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    dx, dy = (x1 - x0) / length * _ARROW, (y1 - y0) / length * _ARROW
    base = (x1 - dx, y1 - dy)
    wings = ((base[0] - dy / 2, base[1] + dx / 2), (base[0] + dy / 2, base[1] - dx / 2))
    return [
        DrawnLine((*points[:-1], base), _EDGE),
        DrawnPolygon(((x1, y1), *wings), _EDGE),
    ]
