"""Where boxes stand: in ranks along the flow, as in Sugiyama et al., "Methods for visual
understanding of hierarchical system structures", 1981.

Coordinates are (across, along): along the flow from inputs to outputs, and across it.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, NamedTuple

ACROSS_GAP: Final = 28.0
ALONG_GAP: Final = 34.0
PORT_GAP: Final = 16.0
"""Between boxes and the border of the frame around them."""
TRACK: Final = 9.0
JOG: Final = 6.0
"""A bend that is narrower than this is straightened."""
_SWEEPS: Final = 12
_STRAIGHT: Final = 8.0
"""How much more a long connection wants to be straight than a box to stand in the middle."""


class Link(NamedTuple):
    """A connection from a box to another.

    Args:
        source: number of a box.
        target: number of a box.
        source_offset: where it leaves the box, across, from its middle.
        target_offset: where it reaches the box.
    """

    source: int
    target: int
    source_offset: float = 0.0
    target_offset: float = 0.0


@dataclass
class _Spot:
    """A box in a rank, or the place where a connection passes a rank."""

    across: float
    along: float
    rank: int
    box: bool = True
    at: float = 0.0
    before: list[tuple[int, float]] = field(default_factory=list)
    after: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """Where boxes stand and connections run.

    Args:
        centres: of the boxes: (across, along).
        bands: for each rank where it begins and ends, along.
        courses: for each link the rank where it begins, and where it is in each rank from there,
            across; against the flow where `reversed` says so.
        reversed: for each link whether it runs against the flow.
        size: (across, along).
    """

    centres: list[tuple[float, float]]
    bands: list[tuple[float, float]]
    courses: list[tuple[int, list[float]]]
    reversed: list[bool]
    size: tuple[float, float]


def laid_out(
    sizes: Sequence[tuple[float, float]],
    links: Sequence[Link],
    first: Sequence[int] = (),
    last: Sequence[int] = (),
) -> Layout:
    """Place boxes in ranks.

    Args:
        sizes: (across, along) of each box; boxes come in an order along the flow.
        links: connections between different boxes.
        first: boxes of the first rank.
        last: boxes of the last rank.

    Returns:
        The layout; its coordinates begin at 0.
    """
    against = [link.source > link.target for link in links]
    flow = [_turned(link) if turn else link for link, turn in zip(links, against, strict=True)]
    ranks = _ranks(len(sizes), flow, first, last)
    places = [_Spot(*size, rank) for size, rank in zip(sizes, ranks, strict=True)]
    chains = [_chain(places, link) for link in flow]
    rows: list[list[int]] = [[] for _ in range(max(ranks, default=0) + 1)]
    for number, place in enumerate(places):
        rows[place.rank].append(number)
    _sort_rows(places, rows)
    _spread(places, rows)
    left = min((p.at - p.across / 2 for p in places), default=0.0)
    for place in places:
        place.at -= left
    bands = _bands(places, rows)
    courses = [
        (
            places[chain[0]].rank,
            [
                places[chain[0]].at + link.source_offset,
                *(places[number].at for number in chain[1:-1]),
                places[chain[-1]].at + link.target_offset,
            ],
        )
        for chain, link in zip(chains, flow, strict=True)
    ]
    middles = [sum(band) / 2 for band in bands]
    boxes = [place for place in places if place.box]
    right = max((p.at + p.across / 2 for p in places), default=0.0)
    return Layout(
        [(box.at, middles[box.rank]) for box in boxes],
        bands,
        courses,
        against,
        (right, bands[-1][1] if bands else 0.0),
    )


def _turned(link: Link) -> Link:
    return Link(link.target, link.source, link.target_offset, link.source_offset)


def _ranks(
    count: int, links: Sequence[Link], first: Sequence[int], last: Sequence[int]
) -> list[int]:
    """Ranks by the longest way from a source; a source stands just before what takes it."""
    ranks = [0] * count
    shift = 1 if first else 0
    for number in range(count):
        if number not in first:
            ranks[number] = shift
    for link in sorted(links, key=lambda link: link.target):
        ranks[link.target] = max(ranks[link.target], ranks[link.source] + 1)
    reached = {link.target for link in links}
    for number in range(count):
        takers = [ranks[link.target] for link in links if link.source == number]
        if number not in reached and number not in first and takers:
            ranks[number] = min(takers) - 1
    end = max((rank for n, rank in enumerate(ranks) if n not in last), default=-1) + 1
    for number in last:
        ranks[number] = max(end, ranks[number])
    return ranks


def _chain(places: list[_Spot], link: Link) -> list[int]:
    """The box where a link begins, new places in the ranks that it passes, and where it ends."""
    start, end = places[link.source].rank, places[link.target].rank
    chain = [link.source]
    for rank in range(start + 1, end):
        chain.append(len(places))
        places.append(_Spot(0.0, 0.0, rank, box=False))
    chain.append(link.target)
    offsets = [link.source_offset, *[0.0] * (len(chain) - 2), link.target_offset]
    for k, (one, other) in enumerate(itertools.pairwise(chain)):
        places[one].after.append((other, offsets[k + 1] - offsets[k]))
        places[other].before.append((one, offsets[k] - offsets[k + 1]))
    return chain


def _sort_rows(places: list[_Spot], rows: list[list[int]]) -> None:
    """Sort each rank so that few connections cross: by the mean of neighbours, back and forth."""
    best, fewest = [list(row) for row in rows], _crossings(places, rows)
    order = {number: k for row in rows for k, number in enumerate(row)}
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows[1:] if down else rows[-2::-1]:
            means = {}
            for number in row:
                near = places[number].before if down else places[number].after
                values = [order[other] + offset * 1e-3 for other, offset in near]
                means[number] = sum(values) / len(values) if values else order[number]
            if sweep % 4 >= 2:  # the other order of those whose means agree
                row.reverse()
            row.sort(key=means.__getitem__)
            order.update((number, k) for k, number in enumerate(row))
        crossings = _crossings(places, rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _crossings(places: list[_Spot], rows: list[list[int]]) -> int:
    """Number of pairs of connections between neighbouring ranks that cross."""
    total = 0
    order = {number: k for row in rows for k, number in enumerate(row)}
    for row in rows:
        ends = [
            sorted((order[other], -offset) for other, offset in places[number].after)
            for number in row
        ]
        seen: list[tuple[int, float]] = []
        for group in ends:
            total += sum(len(seen) - bisect_right(seen, end) for end in group)
            seen = sorted(seen + group)
    return total


def _spread(places: list[_Spot], rows: list[list[int]]) -> None:
    """Move places across towards their neighbours, as far as those beside them allow."""
    for row in rows:
        at = 0.0
        for number in row:
            places[number].at = at + places[number].across / 2
            at += places[number].across + ACROSS_GAP
        for number in row:
            places[number].at -= (at - ACROSS_GAP) / 2
    for sweep in range(2 * _SWEEPS):
        down = sweep % 2 == 0
        for row in rows[1:] if down else rows[-2::-1]:
            _settle(places, row, down)
    runs = _runs(places)
    for _ in range(_SWEEPS):
        for run in runs:
            _straighten(places, rows, run)


def _runs(places: list[_Spot]) -> list[list[int]]:
    """Chains of places, each of which only leads to the next: they can form a straight line."""
    runs: dict[int, list[int]] = {}
    for number, place in sorted(enumerate(places), key=lambda entry: entry[1].rank):
        if len(place.before) == 1 and place.before[0][1] == 0:
            above = place.before[0][0]
            if len(places[above].after) == 1:
                runs[number] = runs[above]
                runs[number].append(number)
                continue
        runs[number] = [number]
    return list({id(run): run for run in runs.values()}.values())


def _straighten(places: list[_Spot], rows: list[list[int]], run: list[int]) -> None:
    """Move a chain as a whole towards its neighbours, as far as those beside it allow."""
    low, high = -math.inf, math.inf
    for number in run:
        place, row = places[number], rows[places[number].rank]
        k = row.index(number)
        if k > 0:
            left = places[row[k - 1]]
            low = max(low, left.at + (left.across + place.across) / 2 + ACROSS_GAP)
        if k + 1 < len(row):
            right = places[row[k + 1]]
            high = min(high, right.at - (right.across + place.across) / 2 - ACROSS_GAP)
    near = [*places[run[0]].before, *places[run[-1]].after]
    if low <= high:
        here = [places[number].at for number in run]
        wish = median(places[n].at + offset for n, offset in near) if near else median(here)
        for number in run:
            places[number].at = min(max(wish, low), high)


def _settle(places: list[_Spot], row: list[int], down: bool) -> None:
    """Place a rank: least squares under the least distances (pooling of adjacent violators)."""
    shift, blocks = 0.0, list[tuple[float, float, int]]()
    shifts = []
    for k, number in enumerate(row):
        place = places[number]
        if k > 0:
            shift += (places[row[k - 1]].across + place.across) / 2 + ACROSS_GAP
        shifts.append(shift)
        near = place.before if down else place.after
        wish = median(places[n].at + offset for n, offset in near) if near else place.at
        weight = 1.0 if place.box else _STRAIGHT
        value, count = wish - shift, 1
        while blocks and blocks[-1][0] > value:
            other, heavy, members = blocks.pop()
            value = (value * weight + other * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + members
        blocks.append((value, weight, count))
    values = [value for value, _, count in blocks for _ in range(count)]
    for number, value, moved in zip(row, values, shifts, strict=True):
        places[number].at = value + moved


def _bands(places: list[_Spot], rows: list[list[int]]) -> list[tuple[float, float]]:
    """Where ranks begin and end; many bends between two ranks move them apart."""
    bands, at = [], 0.0
    for row, after in zip(rows, [*rows[1:], []], strict=True):
        high = max((places[number].along for number in row), default=0.0)
        bands.append((at, at + high))
        bends = sum(
            any(
                abs(places[other].at + offset - places[number].at) > JOG
                for other, offset in places[number].after
            )
            for number in row
        )
        flat = high == 0 or all(places[number].along == 0 for number in after)
        at += high + (PORT_GAP if flat else ALONG_GAP) + TRACK * max(bends - 1, 0)
    return bands
