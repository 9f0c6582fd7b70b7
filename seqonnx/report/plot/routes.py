"""The lines of connections between ranks: at right angles, straight, or curved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seqonnx.report.plot.layout import JOG, Layout
from seqonnx.report.plot.shapes import Point

SPLINES: Final = ("ortho", "curved", "polyline", "spline", "line")
_STEPS: Final = 12

Tracks = dict[tuple[int, float], float]


def routes(
    layout: Layout,
    ends: Sequence[tuple[float, float]],
    fixed_end: Sequence[bool],
    splines: str,
) -> list[list[Point]]:
    """Return the points of each link, (across, along), from its source to its target.

    Args:
        layout: where boxes and links are.
        ends: for each link where it begins and ends, along, in the direction of the flow.
        fixed_end: for each link whether its end may not move across, as that of others may.
        splines: one of `SPLINES`.
    """
    tracks = _tracks(layout)
    lines = []
    for number, (rank, given) in enumerate(layout.courses):
        (start, end), turned = ends[number], layout.reversed[number]
        course = _straightened(given, fixed_end[number])
        points = [(course[0], start)]
        for k in range(len(course) - 1):
            points += _between(layout, tracks, rank + k, course[k], course[k + 1], splines)
        points.append((course[-1], end))
        lines.append(_without_repeats(points[::-1] if turned else points))
    return lines


def _between(
    layout: Layout, tracks: Tracks, rank: int, start: float, end: float, splines: str
) -> list[Point]:
    """The way from a rank to the next."""
    top, bottom = layout.bands[rank][1], layout.bands[rank + 1][0]
    if splines == "ortho":
        track = tracks.get((rank, round(start, 1)), (top + bottom) / 2)
        return [(start, top), (start, track), (end, track), (end, bottom)]
    if splines in {"line", "polyline"}:
        return [(start, top), (end, bottom)]
    steps = [k / _STEPS for k in range(_STEPS + 1)]
    return [(start + (end - start) * t * t * (3 - 2 * t), top + (bottom - top) * t) for t in steps]


def _straightened(course: list[float], fixed_end: bool) -> list[float]:
    """A course without bends that are too narrow to be seen as such."""
    straight = course[::-1] if fixed_end else list(course)
    for k in range(1, len(straight)):
        if abs(straight[k] - straight[k - 1]) <= JOG:
            straight[k] = straight[k - 1]
    return straight[::-1] if fixed_end else straight


def _tracks(layout: Layout) -> Tracks:
    """For each bend where it runs across: bends from one place share a track, others do not."""
    bends: dict[int, dict[float, float]] = {}
    for rank, course in layout.courses:
        for k in range(len(course) - 1):
            if abs(course[k + 1] - course[k]) > JOG:
                gap = bends.setdefault(rank + k, {})
                start = round(course[k], 1)
                gap[start] = gap.get(start, 0.0) + course[k + 1] - course[k]
    tracks = {}
    for rank, gap in bends.items():
        top, bottom = layout.bands[rank][1], layout.bands[rank + 1][0]
        # Of those that go right the rightmost bends first, so that they do not cross.
        order = sorted(gap, key=lambda s: (gap[s] < 0, -s if gap[s] > 0 else s))
        for k, start in enumerate(order):
            tracks[rank, start] = top + (bottom - top) * (k + 1) / (len(order) + 1)
    return tracks


def _without_repeats(points: list[Point]) -> list[Point]:
    kept = points[:1]
    for point in points[1:]:
        if abs(point[0] - kept[-1][0]) > 1e-6 or abs(point[1] - kept[-1][1]) > 1e-6:
            kept.append(point)
    return kept
