"""The rounds of `bench.py`: which of them count, and what they say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SUBJECT = "seqonnx"
"""The contestant that the others are compared with."""
SESSION = "plain-session"
OWN = (SUBJECT, "seqonnx-predict", SESSION)
"""Contestants that are no peers."""

OTHERS_LIMIT = 0.05  # core-seconds per second that other programs had during a block
STEAL_LIMIT = 0.02  # the same for other guests of the host
PROBE_LIMIT = 1.15  # time of the probe over its best
ENOUGH = 5  # quiet rounds below which no ratio is given; fewer if fewer are wanted


@dataclass(frozen=True)
class Block:
    """One timed block of steps of one contestant."""

    ms: float
    loss: float
    others: float
    steal: float

    @property
    def disturbed(self) -> bool:
        """Whether other programs took the cores away."""
        return self.others > OTHERS_LIMIT or self.steal > STEAL_LIMIT


@dataclass(frozen=True)
class Round:
    """A block of every contestant, and the slower of the two probes around them in ms."""

    probe: float
    blocks: dict[str, Block]

    def quiet(self, best_probe: float) -> bool:
        """Whether the machine was ours all the time."""
        disturbed = any(block.disturbed for block in self.blocks.values())
        return not disturbed and self.probe <= PROBE_LIMIT * best_probe


@dataclass
class Measured:
    """The measurements of one workload.

    Attributes:
        workload: its name.
        wanted: quiet rounds that were wanted.
        steps: steps per block.
        rounds: all rounds.
        best_probe: ms of the run's probes while nothing disturbed them.
        facts: of each contestant, what else was measured: seconds to prepare, cold start, memory.
        missing: why others did not run.
        flops: floating-point operations of a step.
        probe_flops: of the probe.
    """

    workload: str
    wanted: int
    steps: int = 0
    rounds: list[Round] = field(default_factory=list)
    best_probe: float = math.inf
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    flops: int = 0
    probe_flops: int = 0

    @property
    def quiet(self) -> list[Round]:
        """The rounds that count."""
        return [one for one in self.rounds if one.quiet(self.best_probe)]

    @property
    def enough(self) -> bool:
        """Whether there are enough of them for a ratio."""
        return len(self.quiet) >= min(ENOUGH, self.wanted) > 0

    @property
    def shown(self) -> list[Round]:
        """The quiet rounds, or all where there are too few."""
        return self.quiet if self.enough else self.rounds

    @property
    def contestants(self) -> list[str]:
        """Everyone who ran."""
        return [] if len(self.rounds) == 0 else list(self.rounds[0].blocks)

    @property
    def floor_ms(self) -> float | None:
        """Time that the step's operations take at the rate of the probe."""
        if not math.isfinite(self.best_probe) or self.flops == 0 or self.probe_flops == 0:
            return None
        return self.flops * self.best_probe / self.probe_flops

    def times(self, contestant: str) -> list[float]:
        """Milliseconds per step in the shown rounds."""
        return [one.blocks[contestant].ms for one in self.shown]

    def medians(self) -> dict[str, float]:
        """Median milliseconds per step in the shown rounds."""
        return {name: statistics.median(self.times(name)) for name in self.contestants}

    def best_peer(self) -> str | None:
        """The peer with the lowest median."""
        peers = {name: ms for name, ms in self.medians().items() if name not in OWN}
        return min(peers, key=lambda name: peers[name]) if len(peers) > 0 else None

    def ratio(self, other: str | None) -> float | None:
        """Median of seqonnx over that of another contestant, in the shown rounds."""
        medians = self.medians()
        if other is None or other not in medians or SUBJECT not in medians:
            return None
        return medians[SUBJECT] / medians[other]


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """First and third quartile."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def geometric_mean(ratios: Iterable[float | None]) -> float | None:
    """Of those that there are."""
    known = [ratio for ratio in ratios if ratio is not None]
    return statistics.geometric_mean(known) if len(known) > 0 else None


def as_json(result: Measured, details: Mapping[str, Any]) -> dict[str, Any]:
    """The measurements of a workload for programs; `details` says what the workload is.

    `ratio_to_best_peer` is null where there were too few quiet rounds.
    """
    peer = result.best_peer()
    counted = result.enough
    contestants = {}
    for name in result.contestants:
        times = result.times(name)
        low, high = quartiles(times)
        contestants[name] = {
            "median_ms": statistics.median(times),
            "quartiles_ms": [low, high],
            "min_ms": min(times),
            "loss": result.rounds[-1].blocks[name].loss,
            "ms": [one.blocks[name].ms for one in result.rounds],
            "times_floor": times_floor(result, name),
            **result.facts.get(name, {}),
        }
    return {
        "workload": result.workload,
        **details,
        "steps_per_round": result.steps,
        "rounds": len(result.rounds),
        "quiet_rounds": len(result.quiet),
        "quiet": [one.quiet(result.best_probe) for one in result.rounds],
        "probe_ms": [one.probe for one in result.rounds],
        "enough_quiet_rounds": counted,
        "contestants": contestants,
        "missing": result.missing,
        "best_peer": peer,
        "ratio_to_best_peer": result.ratio(peer) if counted else None,
        "ratio_in_shown_rounds": result.ratio(peer),
        "ratio_to_plain_session": result.ratio(SESSION) if counted else None,
        "floor_ms": result.floor_ms,
        "flops_per_step": result.flops,
    }


def times_floor(result: Measured, contestant: str) -> float | None:
    """Median time of a contestant over the floor."""
    floor = result.floor_ms
    return None if floor is None else result.medians()[contestant] / floor
