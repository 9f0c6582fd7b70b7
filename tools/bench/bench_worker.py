"""One framework in one process: obeys `bench.py` through pipes, a line of JSON each way.

    python tools/bench/bench_worker.py MODULE

MODULE is a file beside this one, such as `bench_torch`, with a function
`contestants() -> dict[str, Contestant]` (raising ImportError where the framework is missing) and
a function `versions() -> dict[str, str]`. Between requests the worker sleeps in a read.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench_workloads import WORKLOADS, Workload

WARM_STEPS = 2
TICK = os.sysconf("SC_CLK_TCK")
Run = Callable[[int], float]


@dataclass(frozen=True)
class Setup:
    """The setup that every contestant is given besides the workload."""

    device: str
    threads: int


@dataclass(frozen=True)
class Prepared:
    """A model, ready to run.

    Attributes:
        run: takes a number of batches, trains or predicts on that many, and returns their mean
            loss (0 for inference).
        facts: what else was measured on the way; may grow with the first steps.
    """

    run: Run
    facts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Contestant:
    """A strategy for running a workload.

    Attributes:
        settings: what it was set to, for the table.
        prepare: makes a workload ready.
        refuses: why it cannot or need not run a workload, or None; "" leaves it unmentioned.
        differs: in what its work on a workload is not that of the others; "" for nothing.
    """

    settings: str
    prepare: Callable[[Workload, Setup], Prepared]
    refuses: Callable[[Workload], str | None] = lambda workload: None
    differs: Callable[[Workload], str] = lambda workload: ""


@dataclass(frozen=True)
class Clock:
    """A moment: what the machine and this process have done so far, in seconds of a core."""

    wall: float
    own: float
    busy: float
    steal: float

    @classmethod
    def now(cls) -> Clock:
        """Read the clocks; busy and steal are 0 where the system does not tell them."""
        busy = steal = 0.0
        stat = Path("/proc/stat")
        if stat.is_file():
            user, nice, system, _, _, irq, softirq, steal_ticks, *_ = (
                int(count) for count in stat.read_text().split("\n", 1)[0].split()[1:]
            )
            busy = (user + nice + system + irq + softirq) / TICK
            steal = steal_ticks / TICK
        return cls(time.perf_counter(), time.process_time(), busy, steal)


def measured(run: Run, steps: int, setup: Setup) -> dict[str, float]:
    """Run `steps` steps; returns their time and what else went on in the machine meanwhile.

    `others` are the core-seconds that other programs had, per second; the system counts in ticks
    of 10 ms, so one tick for each core is not held against it.
    """
    run(max(1, min(WARM_STEPS, steps // 2)))
    start = Clock.now()
    loss = run(steps)
    end = Clock.now()
    seconds = end.wall - start.wall
    others = (end.busy - start.busy) - (end.own - start.own) - setup.threads / TICK
    return {
        "ms": 1e3 * seconds / steps,
        "loss": loss,
        "others": max(0.0, others) / seconds,
        "steal": max(0.0, end.steal - start.steal - 1 / TICK) / seconds,
    }


class Worker:
    """Holds the models of one framework and answers requests."""

    def __init__(self, module: str) -> None:
        self.started = time.perf_counter()
        self.module = importlib.import_module(module)
        self.setup = Setup("cpu", 1)
        self.contestants: dict[str, Contestant] = {}
        self.prepared: dict[str, Prepared] = {}

    def hello(self, device: str, threads: int) -> dict[str, Any]:
        """Import the framework."""
        self.setup = Setup(device, threads)
        start = time.perf_counter()
        self.contestants = self.module.contestants(self.setup)
        return {
            "import_s": time.perf_counter() - start,
            "versions": self.module.versions(),
            "contestants": {name: c.settings for name, c in self.contestants.items()},
        }

    def prepare(
        self, contestant: str, workload: str, changes: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Build a model; the answer has `missing` where that is not possible."""
        chosen = changed(WORKLOADS[workload], changes or {})
        reason = self.contestants[contestant].refuses(chosen)
        if reason is not None:
            return {"missing": reason}
        start = time.perf_counter()
        self.prepared[contestant] = self.contestants[contestant].prepare(chosen, self.setup)
        seconds = time.perf_counter() - start
        return {"prepare_s": seconds, "differs": self.contestants[contestant].differs(chosen)}

    def run(self, contestant: str, steps: int) -> dict[str, Any]:
        """Time some steps."""
        return measured(self.prepared[contestant].run, steps, self.setup)

    def first(self, contestant: str) -> dict[str, Any]:
        """Take the first step."""
        start = time.perf_counter()
        self.prepared[contestant].run(1)
        return {"first_s": time.perf_counter() - start, **self.prepared[contestant].facts}

    def losses(self, contestant: str, steps: int) -> dict[str, Any]:
        """Mean losses of the first and the second pass over `steps` batches."""
        run = self.prepared[contestant].run
        return {"losses": [run(steps), run(steps)]}

    def memory(self) -> dict[str, Any]:
        """Peak resident memory of this process so far, in MiB."""
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return {"peak_mib": peak / 2**20}


def changed(workload: Workload, changes: Mapping[str, Any]) -> Workload:
    """A workload with another batch or number of steps, or without dropout."""
    if changes.get("no_dropout", False):
        workload = workload.without_dropout()
    if "batch" in changes:
        workload = workload.smaller(changes["batch"], changes["steps"])
    return workload


def answer(worker: Worker, request: dict[str, Any]) -> dict[str, Any]:
    """Do what a request says; an error becomes `missing` with its text."""
    name = request.pop("do")
    actions: dict[str, Callable[..., dict[str, Any]]] = {
        "hello": worker.hello,
        "prepare": worker.prepare,
        "run": worker.run,
        "first": worker.first,
        "losses": worker.losses,
        "memory": worker.memory,
    }
    try:
        return actions[name](**request)
    except ImportError as error:
        return {"missing": f"{error.name or error} is not installed"}
    except Exception as error:
        traceback.print_exc()
        first = (str(error).strip() or "no message").splitlines()[0]
        return {"missing": f"fails: {type(error).__name__}: {first}"[:200]}


def main() -> None:
    """Serve requests until the pipe is closed."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a framework prints must not mix with the replies
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        replies.write(json.dumps(answer(worker, json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
