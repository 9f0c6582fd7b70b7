"""Speed of seqonnx beside its peers, on this machine, in one run.

    python tools/bench.py                                    # everything, on the CPU
    python tools/bench.py --workload mlp --rounds 30 --json result.json
    python tools/bench.py --peer keras-tensorflow=/path/to/python --ort-training /path/to/python
    python tools/bench.py --list                             # what there is, and what is missing
    python tools/bench.py --check                            # no timing: do all do the same work?
    python tools/bench.py --threads 1,2,all --history tools/bench/history.jsonl
    python tools/bench.py --device cuda --rounds 5           # on a GPU

How the numbers come about:

* Every framework runs in a process of its own, by an interpreter that has it, with the same cores
  and threads. It builds the same network from one description, starts from the same weights and
  takes the same batches from memory; `--check` compares the losses.
* A round times one block of steps of each contestant in turn, every second round in the opposite
  order, so slow drifts hit all alike. Meanwhile the other processes sleep. Before a block come a
  pause and untimed steps; before the first round come two untimed blocks.
* No loss is fetched within a block, unless the settings of a contestant say that it always is.
* A round counts only if other programs (`/proc/stat`: busy time that was not the worker's, and
  time stolen by other guests) had next to nothing of the cores, and if the matrix product that
  is timed between rounds was about as fast as ever in the run. Where too few rounds count, the
  table says so and there is no ratio.
* The table gives the median over the rounds that count, the quartiles and the minimum. The ratio
  is the median of seqonnx over that of the contestant: below 1, seqonnx is faster.
* "floor" is the time of a step over the time that its products and convolutions would take at the
  rate of that matrix product. "cold s" is the time from starting a new process to the end of its
  first step, with nothing in seqonnx's cache, "warm s" that of the next process, which finds there
  what the first has kept, "graph s" the part of it in which the step graph was built, "MiB" the
  peak resident memory of that process after some more steps.
* The last table has a line for each workload. The mean is taken over those that are trained and
  counted; the others, whose ratios it marks, are there to be watched. With `--history` a line of
  JSON is added for each number of threads; `bench_history.py` draws them.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench_check import check, same_work
from bench_history import append, entry
from bench_pool import FRAMEWORKS, PROBE, Client, Framework, Limits
from bench_report import (
    contestants_table,
    machine,
    number,
    short_table,
    summary,
    table,
    verdict,
)
from bench_rounds import Block, Measured, Round, as_json
from bench_start import start_cold
from bench_workloads import WORKLOADS, Workload
from rich.console import Console
from rich.table import Table

__all__ = ["Bench", "chosen", "limit_cores", "main", "parse", "same_work", "thread_counts"]

PROBE_FLOPS = 2 * 1024**3
PROBE_STEPS = 3
CALIBRATION = 10  # probes before the first round of the run
WARM_BLOCKS = 2
PAUSE = 0.1  # seconds: threads of the last contestant stop spinning
MEMORY_STEPS = 20  # at most, before the memory is read
CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
WIDTH = 132  # columns of a table in a file


@dataclasses.dataclass
class Bench:
    """One run of the benchmark.

    Attributes:
        frameworks: what takes part.
        limits: device, threads and patience.
        rounds: quiet rounds wanted.
        tries: rounds begun at most.
        cold: cold starts per contestant and workload.
        most_steps: steps per block at most, for a quick look.
        absent: frameworks that could not be imported, and why.
        probes: ms of all probes so far.
    """

    frameworks: Mapping[str, Framework]
    limits: Limits
    rounds: int
    tries: int = 60
    cold: int = 1
    most_steps: int = 10**9
    absent: dict[str, str] = dataclasses.field(default_factory=dict)
    probes: list[float] = dataclasses.field(default_factory=list)

    @property
    def best_probe(self) -> float:
        """The time of a probe that nothing disturbs: only one in twenty was faster.

        The very fastest may have had a moment of higher clock that no round has.
        """
        ordered = sorted(self.probes)
        return ordered[len(ordered) // 20] if ordered else float("inf")

    def greet(self) -> dict[str, dict[str, Any]]:
        """Start every framework once; returns versions and contestants, or why it is missing."""
        found = {}
        for name, framework in self.frameworks.items():
            with Client(framework, self.limits) as client:
                found[name] = client.hello()
            if "missing" in found[name]:
                self.absent[name] = found[name]["missing"]
        return found

    def measure(self, name: str) -> Measured:
        """Time one workload with every contestant that can run it."""
        workload = WORKLOADS[name]
        workload = workload.smaller(workload.batch, self.most_steps)
        result = Measured(
            name,
            self.rounds,
            steps=workload.steps,
            flops=workload.flops(),
            probe_flops=PROBE_FLOPS,
        )
        with contextlib.ExitStack() as stack:
            probe = stack.enter_context(Client(PROBE, self.limits))
            probe.hello()
            probe.ask("prepare", contestant="probe", workload=name)
            clients = self._prepared(stack, name, result)
            for contestant in list(clients):
                for _ in range(WARM_BLOCKS):
                    answer = clients[contestant].ask(
                        "run", contestant=contestant, steps=workload.steps
                    )
                    if "missing" in answer:
                        result.missing[contestant] = answer["missing"]
                        del clients[contestant]
                        break
            self._run_rounds(probe, clients, workload, result)
        for contestant in result.contestants:
            self._start_cold(contestant, name, result)
        return result

    def _prepared(
        self, stack: contextlib.ExitStack, name: str, result: Measured
    ) -> dict[str, Client]:
        """Start the frameworks and have every contestant build its model."""
        clients: dict[str, Client] = {}
        for key, framework in self.frameworks.items():
            if key in self.absent:
                result.missing[key] = self.absent[key]
                continue
            client = stack.enter_context(Client(framework, self.limits))
            hello = client.hello()
            if "missing" in hello:
                result.missing[key] = hello["missing"]
                continue
            for contestant in hello["contestants"]:
                answer = client.ask("prepare", contestant=contestant, workload=name)
                if "missing" not in answer:
                    clients[contestant] = client
                    result.facts[contestant] = {"framework": key, **answer}
                elif answer["missing"] != "":
                    result.missing[contestant] = answer["missing"]
        return clients

    def _probe(self, client: Client, count: int = 1) -> float:
        """Milliseconds of the matrix product, the fastest of `count` times."""
        times = []
        for _ in range(count):
            time.sleep(PAUSE)
            times.append(float(client.ask("run", contestant="probe", steps=PROBE_STEPS)["ms"]))
        self.probes += times
        return min(times)

    def _run_rounds(
        self, probe: Client, clients: dict[str, Client], workload: Workload, result: Measured
    ) -> None:
        """Time rounds until enough of them were quiet, or too many were not."""
        before = self._probe(probe, CALIBRATION)
        result.best_probe = self.best_probe
        names = list(clients)
        while len(names) > 0 and len(result.rounds) < self.tries:
            names.reverse()
            answers = {}
            for contestant in names:
                time.sleep(PAUSE)
                answers[contestant] = clients[contestant].ask(
                    "run", contestant=contestant, steps=workload.steps
                )
            after = self._probe(probe)
            failed = [name for name in names if "missing" in answers[name]]
            for name in failed:
                result.missing[name] = answers[name]["missing"]
                names.remove(name)
            if len(failed) == 0:
                blocks = {name: Block(**answers[name]) for name in clients if name in answers}
                result.rounds.append(Round(max(before, after), blocks))
            before = after
            result.best_probe = self.best_probe
            if len(result.quiet) >= self.rounds:
                break
        for one in result.rounds:  # those who failed later are in none
            for name in set(one.blocks) - set(names):
                del one.blocks[name]

    def _start_cold(self, contestant: str, name: str, result: Measured) -> None:
        """Add what new processes show: seconds to the first step, and memory."""
        facts = result.facts[contestant]
        framework = self.frameworks[facts["framework"]]
        steps = min(MEMORY_STEPS, self.most_steps, WORKLOADS[name].steps)
        for _ in range(self.cold):
            found = start_cold(framework, self.limits, contestant, name, steps)
            if len(found) == 0:
                continue
            peak = max(facts.get("peak_mib", 0.0), found.pop("peak_mib"))
            if found["cold_s"] < facts.get("cold_s", float("inf")):
                facts |= found
            facts["peak_mib"] = peak


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="default: all")
    parser.add_argument("--only", action="append", metavar="FRAMEWORK", help="default: all")
    parser.add_argument("--skip", action="append", default=[], metavar="FRAMEWORK")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="FRAMEWORK=PYTHON",
        help="interpreter that has a framework (default: this one)",
    )
    parser.add_argument("--ort-training", metavar="PYTHON", help="--peer ort-training=PYTHON")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rounds", type=int, default=20, help="quiet rounds wanted (default 20)")
    parser.add_argument("--tries", type=int, help="rounds at most (default: thrice as many)")
    parser.add_argument("--steps", type=int, default=10**9, help="per block at most, for a look")
    parser.add_argument("--cold", type=int, default=1, help="cold starts of each (default 1)")
    parser.add_argument(
        "--threads",
        type=thread_counts,
        default=[2],
        metavar="COUNTS",
        help="CPU threads of all, measured one after the other: 1,2,all (default 2)",
    )
    parser.add_argument("--patience", type=float, default=900.0, help="seconds for one request")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    parser.add_argument(
        "--history", type=Path, metavar="FILE", help="also append the ratios, a line of JSON a run"
    )
    parser.add_argument("--list", action="store_true", help="show workloads and frameworks")
    parser.add_argument("--check", action="store_true", help="compare losses instead of times")
    parser.add_argument("--frozen", action="store_true", help="time a frozen base instead")
    return parser.parse_args(arguments)


def chosen(options: argparse.Namespace, roster: Mapping[str, Framework]) -> dict[str, Framework]:
    """The frameworks that take part, each with its interpreter.

    Raises:
        SystemExit: if an option names a framework that there is not.
    """
    pairs = [text.partition("=")[::2] for text in options.peer]
    if options.ort_training is not None:
        pairs.append(("ort-training", options.ort_training))
    for name in [*(name for name, _ in pairs), *(options.only or []), *options.skip]:
        if name not in roster:
            raise SystemExit(f"Expected a framework of {', '.join(roster)}. Received: {name}")
    pythons = {name: str(Path(python).expanduser()) for name, python in pairs}
    return {
        name: dataclasses.replace(framework, python=pythons.get(name, framework.python))
        for name, framework in roster.items()
        if (options.only is None or name in options.only) and name not in options.skip
    }


def thread_counts(text: str) -> list[int]:
    """The numbers of threads in a text such as `1,2,all`; those that repeat are left out.

    Raises:
        argparse.ArgumentTypeError: if a part is neither a number from 1 on nor `all`.
    """
    counts: list[int] = []
    for part in text.split(","):
        if part != "all" and not (part.isdigit() and int(part) > 0):
            raise argparse.ArgumentTypeError(
                f"expected counts from 1 on or `all`, with commas between. Received: {text}"
            )
        count = (os.cpu_count() or 1) if part == "all" else int(part)
        counts += [count] if count not in counts else []
    return counts


def limit_cores(count: int) -> None:
    """Leave the first `count` of our cores to this process and those it starts."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, CORES[:count])


def details(workload: Workload) -> dict[str, Any]:
    """The facts about a workload that the JSON holds."""
    return {
        "summary": workload.summary,
        "task": workload.task,
        "batch": workload.batch,
        "counted": workload.counted,
    }


def show_list(found: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    """Print workloads and frameworks."""
    shown = Table("workload", "", "steps", title="workloads")
    for name, workload in WORKLOADS.items():
        shown.add_row(name, workload.summary, str(workload.steps))
    console.print(shown)
    console.print(contestants_table(found))


def main(arguments: list[str] | None = None, roster: Mapping[str, Framework] = FRAMEWORKS) -> int:
    """Measure, print, and write the numbers; returns the exit code."""
    options = parse(arguments)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    names = options.workload or list(WORKLOADS)
    if options.frozen:
        import bench_frozen

        limit_cores(options.threads[0])
        rows = bench_frozen.measure(options.device, options.rounds)
        console.print(bench_frozen.table(rows))
        return 0
    chosen_ones = chosen(options, roster)
    reports: list[dict[str, Any]] = []
    for count in options.threads:
        limit_cores(count)
        limits = Limits(options.device, count, options.patience)
        tries = 3 * options.rounds if options.tries is None else options.tries
        bench = Bench(chosen_ones, limits, options.rounds, tries, options.cold, options.steps)
        found = bench.greet()
        if options.list:
            show_list(found, console)
            return 0
        if options.check:
            return check(bench, names, console)
        facts = machine(options.device, count)
        reports.append({"machine": facts, "frameworks": found, "workloads": []})
        console.print(", ".join(f"{key}: {value}" for key, value in facts.items()), highlight=False)
        console.print(contestants_table(found))
        measure_all(bench, names, reports, options.json, console)
        if options.history is not None:
            append(options.history, entry(reports[-1]))
    return 0


def measure_all(
    bench: Bench,
    names: list[str],
    reports: list[dict[str, Any]],
    file: Path | None,
    console: Console,
) -> None:
    """Measure workload after workload into the last of the reports, and print each."""
    report = reports[-1]
    for name in names:
        result = bench.measure(name)
        report["workloads"].append(as_json(result, details(WORKLOADS[name])))
        rate = None if result.rounds == [] else PROBE_FLOPS / bench.best_probe / 1e6
        report["matrix_product_gflops"] = rate
        console.print(table(result, WORKLOADS[name]))
        for contestant, reason in result.missing.items():
            console.print(f"missing: {contestant}: {reason}", highlight=False, markup=False)
        console.print(verdict(result), f"({number(rate, '.0f')} GFLOP/s)", highlight=False)
        if file is not None:  # after each workload: a long run may be cut short
            written = report if len(reports) == 1 else {"runs": reports}
            file.write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    console.print(short_table(report["workloads"]))
    console.print(summary(report["workloads"]), highlight=False)


if __name__ == "__main__":
    sys.exit(main())
