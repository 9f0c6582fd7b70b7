"""Counting steps where they are taken, so that the counter moves with what a step changes."""

from __future__ import annotations

from typing import Protocol


class Taker(Protocol):
    """Takes steps."""

    @property
    def steps(self) -> int:
        """Number of steps taken."""


class StepCount:
    """A number of steps: those before, and those of everyone who takes steps now.

    Args:
        before: number of steps that nobody counts any more.
        takers: who takes steps.
    """

    __slots__ = ("before", "takers")

    def __init__(self, before: int = 0, takers: tuple[Taker, ...] = ()) -> None:
        self.before = before
        self.takers = takers

    def total(self) -> int:
        """Return the number of all steps."""
        total = self.before
        for taker in self.takers:
            total += taker.steps
        return total

    def set_to(self, total: int) -> StepCount:
        """Return a count that comes to `total` now."""
        return StepCount(self.before + total - self.total(), self.takers)


class Counts(Protocol):
    """Holds a count: an optimizer."""

    _count: StepCount


def count_steps_of(optimizer: Counts, taker: Taker) -> None:
    """Count, in `optimizer.iterations`, the steps that `taker` takes from now on."""
    count = optimizer._count
    optimizer._count = StepCount(count.before - taker.steps, (*count.takers, taker))


def stop_counting(optimizer: Counts, taker: Taker) -> None:
    """Count the steps of `taker` no longer; those taken stay counted."""
    count = optimizer._count
    others = tuple(other for other in count.takers if other is not taker)
    if len(others) < len(count.takers):
        optimizer._count = StepCount(count.before + taker.steps, others)
