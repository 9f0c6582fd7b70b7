"""Training speed of seqonnx beside its peers, on this machine, in one process.

    python tools/bench.py                          # every workload, on the CPU
    python tools/bench.py --workload mlp --rounds 30 --json result.json
    python tools/bench.py --check                  # no timing: do all do the same work?

How the numbers come about:

* Every contestant trains the same model from the same initial weights on the same batches with the
  same number of threads. `--check` trains without dropout and fails if the losses differ.
* A round times one block of training steps of each contestant, in turn, so slow drifts of the
  machine hit all alike; every second round goes in the opposite order. Before a block come a
  pause, in which the threads of the others go to sleep, and two steps that are not timed.
* A round in which other programs took the cores away is discarded, and the count is shown.
* The table gives the median over the rounds, the quartiles and the minimum. The ratio is the
  median of seqonnx over that of the fastest peer: below 1, seqonnx is faster.
* `loss` is the mean loss of the last block, after the same number of steps of each contestant.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the checkout, not an installed copy

import bench_frozen  # noqa: E402
from bench_workloads import CONTESTANTS, SUBJECT, WORKLOADS, Trainer, Workload  # noqa: E402

WARM_ROUNDS = 2
WARM_STEPS = 2
PAUSE = 0.05  # seconds: threads of the last contestant stop spinning
# Between contestants. Adam adds its epsilon after the bias correction in PyTorch and before it in
# Keras: after 16 steps of mnist_cnn that makes 6e-4; without it the losses agree to 1e-6.
LOSS_LIMIT = 1e-3
TRIES = 3  # rounds begun at most, in multiples of the rounds wanted
# One busy neighbour on two cores gives 0.6 and 170 here; a quiet machine stays below 0.03 and 70.
WAITING_LIMIT = 0.05  # seconds that threads waited for a core, per second (Linux tells it)
SWITCHES_LIMIT = 100  # involuntary context switches per second


@dataclass(frozen=True)
class Block:
    """One timed block: milliseconds per step, and how much other programs disturbed it."""

    ms: float
    loss: float
    waiting: float
    switches: float

    @property
    def disturbed(self) -> bool:
        """Whether another program took the cores away."""
        return self.waiting > WAITING_LIMIT or self.switches > SWITCHES_LIMIT


@dataclass
class Result:
    """What was measured for one workload: the kept rounds, each a block per contestant."""

    workload: str
    rounds: list[dict[str, Block]]
    discarded: int
    note: str
    missing: dict[str, str] = field(default_factory=dict)

    def times(self, contestant: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Milliseconds per step of each kept round."""
        return np.array([blocks[contestant].ms for blocks in self.rounds])

    def medians(self) -> dict[str, float]:
        """Median milliseconds per step of each contestant."""
        return {name: float(np.median(self.times(name))) for name in self.rounds[0]}


def preemption() -> tuple[float, int]:
    """Seconds that threads of this process waited for a core, and involuntary context switches.

    The seconds are 0 where the system does not tell them.
    """
    nanoseconds = 0
    for thread in Path("/proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # the thread has just ended
            nanoseconds += int(thread.read_text().split()[1])
    return nanoseconds / 1e9, resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def time_block(trainer: Trainer, steps: int) -> Block:
    """Pause, warm up, and time `steps` training steps."""
    time.sleep(PAUSE)
    trainer(min(WARM_STEPS, steps))
    waited, switched = preemption()
    start = time.perf_counter()
    loss = trainer(steps)
    seconds = time.perf_counter() - start
    waited_after, switched_after = preemption()
    return Block(
        ms=1e3 * seconds / steps,
        loss=loss,
        waiting=(waited_after - waited) / seconds,
        switches=(switched_after - switched) / seconds,
    )


def run_rounds(
    trainers: dict[str, Trainer], steps: int, rounds: int
) -> tuple[list[dict[str, Block]], int, str]:
    """Time rounds until `rounds` of them were quiet; returns them, the discarded, and a note."""
    for _ in range(WARM_ROUNDS):
        for trainer in trainers.values():
            trainer(steps)
    quiet: list[dict[str, Block]] = []
    noisy: list[dict[str, Block]] = []
    names = list(trainers)
    while len(quiet) < rounds and len(quiet) + len(noisy) < TRIES * rounds:
        names.reverse()
        blocks = {name: time_block(trainers[name], steps) for name in names}
        kept = not any(block.disturbed for block in blocks.values())
        (quiet if kept else noisy).append({name: blocks[name] for name in trainers})
    if 3 * len(quiet) >= rounds:
        return quiet, len(noisy), ""
    everything = sorted(quiet + noisy, key=lambda blocks: sum(b.ms for b in blocks.values()))
    fastest = everything[: max(1, len(everything) // 3)]
    note = f"only {len(quiet)} quiet rounds: the fastest third of all rounds is shown"
    return fastest, len(everything) - len(fastest), note


def find_trainers(
    workload: Workload, contestants: list[str], options: argparse.Namespace
) -> tuple[dict[str, Trainer], dict[str, str]]:
    """The contestants that can run a workload, ready to train; and why others cannot."""
    trainers: dict[str, Trainer] = {}
    missing: dict[str, str] = {}
    for key in contestants:
        contestant = CONTESTANTS[key]
        if contestant.only_images and not workload.images:
            continue
        reason = contestant.missing(options.device)
        if reason is not None:
            missing[key] = reason
        else:
            trainers[key] = contestant.trainer(workload, options.device, options.threads)
    return trainers, missing


def losses_without_dropout(
    workload: Workload, contestants: list[str], options: argparse.Namespace
) -> dict[str, tuple[float, float]]:
    """Mean losses of each contestant's first two passes over the batches of a workload."""
    workload.dropout = 0.0
    trainers, _ = find_trainers(workload, contestants, options)
    return {
        name: (trainer(workload.steps), trainer(workload.steps))
        for name, trainer in trainers.items()
    }


def same_work(losses: dict[str, tuple[float, float]]) -> bool:
    """Whether all losses agree to within `LOSS_LIMIT`; NaN agrees with nothing."""
    return bool(np.all(np.ptp(list(losses.values()), axis=0) <= LOSS_LIMIT))


def check(names: list[str], contestants: list[str], options: argparse.Namespace) -> int:
    """Print the losses of all contestants; returns 1 if they do not do the same work, else 0."""
    console = Console()
    table = Table("workload", "contestant", "first pass", "second pass", "")
    code = 0
    for name in names:
        losses = losses_without_dropout(WORKLOADS[name](), contestants, options)
        same = same_work(losses)
        code = code if same else 1
        for contestant, (first, second) in losses.items():
            verdict = "same" if same else "DIFFERENT"
            table.add_row(name, contestant, f"{first:.6f}", f"{second:.6f}", verdict)
    console.print(table)
    return code


def measure(name: str, contestants: list[str], options: argparse.Namespace) -> Result:
    """Run one workload with every contestant that can."""
    workload: Workload = WORKLOADS[name]()
    trainers, missing = find_trainers(workload, contestants, options)
    if len(trainers) == 0:
        return Result(name, [], 0, "nothing to run", missing)
    rounds, discarded, note = run_rounds(trainers, workload.steps, options.rounds)
    return Result(name, rounds, discarded, note, missing)


def ratio_to_best_peer(medians: dict[str, float]) -> tuple[str, float] | None:
    """The fastest peer, and the median of seqonnx over its median."""
    peers = {name: ms for name, ms in medians.items() if name != SUBJECT}
    if SUBJECT not in medians or len(peers) == 0:
        return None
    best = min(peers, key=lambda name: peers[name])
    return best, medians[SUBJECT] / peers[best]


def table(result: Result) -> Table:
    """The measurements of one workload for reading."""
    workload = WORKLOADS[result.workload]
    note = f"; {result.note}" if result.note != "" else ""
    caption = (
        f"{len(result.rounds)} rounds of {workload.steps} steps; "
        f"{result.discarded} disturbed rounds discarded{note}"
    )
    text = Table(title=f"{result.workload}: {workload.summary}", caption=caption)
    text.add_column("contestant")
    for heading in ("ms/step", "quartiles", "min", "loss"):
        text.add_column(heading, justify="right")
    for name, median in (result.medians() if len(result.rounds) > 0 else {}).items():
        times = result.times(name)
        low, high = np.quantile(times, [0.25, 0.75])
        loss = result.rounds[-1][name].loss
        text.add_row(
            name, f"{median:.3f}", f"{low:.3f} - {high:.3f}", f"{times.min():.3f}", f"{loss:.4f}"
        )
    for name, reason in result.missing.items():
        text.add_row(name, reason, "", "", "")
    return text


def machine(options: argparse.Namespace) -> dict[str, Any]:
    """What the numbers depend on."""
    versions = {}
    for package in ("numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "torch"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "device": options.device,
        "threads": options.threads,
        "versions": versions,
    }


def processor() -> str:
    """The name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if len(names) > 0 else platform.machine()


def as_json(result: Result) -> dict[str, Any]:
    """The measurements of one workload for a program."""
    medians = result.medians() if len(result.rounds) > 0 else {}
    best = ratio_to_best_peer(medians)
    return {
        "workload": result.workload,
        "batch": WORKLOADS[result.workload].batch,
        "steps_per_round": WORKLOADS[result.workload].steps,
        "discarded_rounds": result.discarded,
        "note": result.note,
        "missing": result.missing,
        "median_ms_per_step": medians,
        "ms_per_step": {name: result.times(name).tolist() for name in medians},
        "best_peer": None if best is None else best[0],
        "ratio_to_best_peer": None if best is None else best[1],
    }


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="default: all")
    parser.add_argument("--contestant", action="append", choices=CONTESTANTS, help="default: all")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rounds", type=int, default=20, help="quiet rounds wanted (default 20)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of all (default 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    parser.add_argument("--check", action="store_true", help="compare losses instead of times")
    parser.add_argument("--frozen", action="store_true", help="time a frozen base instead")
    return parser.parse_args(arguments)


def limit_threads(count: int) -> None:
    """Leave `count` cores to this process, so that no contestant finds more than another."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write the numbers; returns the exit code."""
    options = parse(arguments)
    limit_threads(options.threads)
    workloads = options.workload or list(WORKLOADS)
    contestants = options.contestant or list(CONTESTANTS)
    if options.check:
        return check(workloads, contestants, options)
    facts = machine(options)
    console = Console()
    console.print(", ".join(f"{key}: {value}" for key, value in facts.items()), highlight=False)
    if options.frozen:
        console.print(bench_frozen.table(bench_frozen.measure(options.device, options.rounds)))
        return 0
    results = []
    for name in workloads:
        result = measure(name, contestants, options)
        results.append(as_json(result))
        console.print(table(result))
        if results[-1]["best_peer"] is not None:
            peer, ratio = results[-1]["best_peer"], results[-1]["ratio_to_best_peer"]
            console.print(f"{SUBJECT} takes {ratio:.2f} of the time of {peer}", highlight=False)
    if options.json is not None:
        text = json.dumps({"machine": facts, "workloads": results}, indent=2) + "\n"
        options.json.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
