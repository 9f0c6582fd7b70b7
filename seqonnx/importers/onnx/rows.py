"""Where the rows of a batch lie in a tensor, and where a Reshape puts them.

A dimension that grows with the batch has `outer * batch * inner` elements: `outer` of them say
what comes before the rows in memory, as time does where time and batch are one axis, and `inner`
what each row has there, as its heads or its windows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Rows:
    """The axis of a tensor that grows with the batch, and how the rows lie in it.

    Args:
        axis: the axis.
        outer: how often the whole batch comes in it.
        inner: how many elements of a row lie together in it.
    """

    axis: int
    outer: int = 1
    inner: int = 1

    @property
    def alone(self) -> bool:
        """Whether the axis is the batch and nothing else."""
        return self.outer == self.inner == 1

    def size(self, batch: int) -> int:
        """Size of the axis for a batch."""
        return self.outer * batch * self.inner

    def sizes(self, sizes: Sizes, batch: int) -> Sizes:
        """The sizes of the tensor for another batch."""
        return (*sizes[: self.axis], self.size(batch), *sizes[self.axis + 1 :])


def reshaped(rows: Rows, before: Sizes, after: Sizes, batch: int) -> list[Rows]:
    """Where rows can lie after a Reshape, the likeliest first.

    A Reshape keeps the order of the elements, so that what comes before the rows, and what comes
    behind, must be whole axes of the result and a part of the axis with the batch. A batch of 1
    leaves several such axes; then the batch stays an axis of its own if it can, and stays where it
    was.

    Args:
        rows: where they lie in the data.
        before: sizes of the data.
        after: sizes of the result.
        batch: the batch in both.

    Returns:
        Every possibility; none where rows are mixed.

    Example:
        >>> reshaped(Rows(1), (5, 2, 8), (5, 4, 4), 2)  # heads beside the rows, behind time
        [Rows(axis=1, outer=1, inner=2)]
    """
    outside = math.prod(before[: rows.axis]) * rows.outer
    inside = rows.inner * math.prod(before[rows.axis + 1 :])
    found = []
    for axis, size in enumerate(after):
        first, last = math.prod(after[:axis]), math.prod(after[axis + 1 :])
        if 0 in (first, last) or outside % first != 0 or inside % last != 0:
            continue
        placed = Rows(axis, outside // first, inside // last)
        if placed.size(batch) == size:
            found.append(placed)
    return sorted(found, key=lambda r: (not r.alone, r.axis != rows.axis, r.outer != 1))


def carried(before: Sizes, now: Sizes, batch: int, other: int) -> list[tuple[int, int]] | None:
    """Axes that grow with the batch, with the number of elements for each row.

    Args:
        before: sizes of a tensor for one batch.
        now: its sizes for another.
        batch: the one batch.
        other: the other.

    Returns:
        The axes; None where a size does not grow in proportion to the batch.
    """
    if len(before) != len(now):
        return None
    grown = [axis for axis, (a, b) in enumerate(zip(before, now, strict=True)) if a != b]
    share = {axis: before[axis] // batch for axis in grown}
    if any(before[a] != share[a] * batch or now[a] != share[a] * other for a in grown):
        return None
    return list(share.items())
