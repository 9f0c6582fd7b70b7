"""How `bench.py` shows its measurements to people."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_rounds import SESSION, SUBJECT, Measured, geometric_mean, quartiles, times_floor
from bench_workloads import Workload
from rich.table import Table

from seqonnx.runtime.block_size import block_size


def table(result: Measured, workload: Workload) -> Table:
    """The measurements of one workload."""
    shown = Table(title=f"{result.workload}: {workload.summary}", caption=caption(result))
    shown.add_column("contestant", no_wrap=True)
    for heading in (
        "ms/step",
        "quartiles",
        "min",
        "ratio",
        "floor",
        "cold s",
        "warm s",
        "graph s",
        "MiB",
    ):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("loss", justify="right")
    for name in result.contestants:
        shown.add_row(name, *cells(result, workload, name))
    return shown


def cells(result: Measured, workload: Workload, name: str) -> list[str]:
    """The cells of a contestant in the table."""
    times = result.times(name)
    low, high = quartiles(times)
    facts = result.facts.get(name, {})
    ratio = None if name == SUBJECT else result.ratio(name)
    floor = times_floor(result, name) if workload.floor else None
    return [
        f"{statistics.median(times):.3f}",
        f"{low:.3f} - {high:.3f}",
        f"{min(times):.3f}",
        number(ratio, ".2f"),
        number(floor, ".2f"),
        number(facts.get("cold_s"), ".2f"),
        number(facts.get("warm_s"), ".2f"),
        number(facts.get("step_graph_s"), ".2f"),
        number(facts.get("peak_mib"), ".0f"),
        number(result.rounds[-1].blocks[name].loss if workload.task == "train" else None, ".4f"),
    ]


def number(value: float | None, form: str) -> str:
    """A number, or nothing."""
    return "" if value is None else format(value, form)


def caption(result: Measured) -> str:
    """How many rounds count."""
    quiet, count = len(result.quiet), len(result.rounds)
    steps = result.steps
    text = f"{quiet} of {count} rounds of {steps} steps were quiet and count"
    if not result.enough:
        text = (
            f"only {quiet} of {count} rounds of {steps} steps were quiet: too few, all are shown, "
            "and the ratios do not count"
        )
    return f"{text}; ratio: seqonnx / contestant; floor: times the time of its matrix products"


def verdict(result: Measured) -> str:
    """The sentence below a table."""
    peer = result.best_peer()
    ratio = result.ratio(peer)
    parts = []
    if ratio is not None:
        parts.append(f"{SUBJECT} takes {ratio:.2f} of the time of {peer}, the best peer")
    session = result.ratio(SESSION)
    if session is not None:
        parts.append(f"{session:.2f} of a plain session's")
    if len(parts) == 0:
        return "nothing to compare"
    return ", ".join(parts) + ("" if result.enough else " (does not count: too few quiet rounds)")


def summary(results: Sequence[Mapping[str, Any]]) -> str:
    """The geometric mean over the training workloads that are counted and have a ratio."""
    trained = counted_of(results)
    mean = geometric_mean(one["ratio_to_best_peer"] for one in trained)
    if mean is None:
        return "No training workload has a ratio that counts."
    there = sum(one["ratio_to_best_peer"] is not None for one in trained)
    return f"Geometric mean over {there} of {len(trained)} training workloads: {mean:.2f}"


def counted_of(results: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The workloads whose ratios make the mean."""
    return [one for one in results if one["task"] == "train" and one["counted"]]


def short_table(results: Sequence[Mapping[str, Any]]) -> Table:
    """A line for each workload: our step, the best peer's, and the ratio."""
    shown = Table("workload", "ms/step", "best peer", "ms/step", "ratio", "", title="ratios")
    for one in results:
        peer, ratio = one["best_peer"], one["ratio_in_shown_rounds"]
        ours, theirs = (
            one["contestants"].get(name, {}).get("median_ms") for name in (SUBJECT, peer)
        )
        notes = [] if one["enough_quiet_rounds"] else ["too few quiet rounds"]
        notes += [] if one["counted"] or one["task"] != "train" else ["not in the mean"]
        cells = number(ours, ".3f"), peer or "", number(theirs, ".3f"), number(ratio, ".2f")
        shown.add_row(one["workload"], *cells, ", ".join(notes))
    return shown


def contestants_table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    """Who takes part with which settings and versions, and who is missing."""
    shown = Table("framework", "versions", "contestants and settings", title="contestants")
    for framework, hello in found.items():
        if "missing" in hello:
            shown.add_row(framework, "missing", str(hello["missing"]))
            continue
        versions = "\n".join(f"{name} {version}" for name, version in hello["versions"].items())
        settings = "\n".join(f"{name}: {text}" for name, text in hello["contestants"].items())
        shown.add_row(framework, versions, settings)
    return shown


def machine(device: str, threads: int) -> dict[str, Any]:
    """The machine and versions that the numbers depend on."""
    return {
        "processor": processor(),
        "vector unit": vector_unit(),
        "block size": block_size() or None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "device": device,
        "threads": threads,
        "date": time.strftime("%Y-%m-%d"),
    }


def processor() -> str:
    """The name of the CPU."""
    return next(iter(cpu_facts("model name")), platform.machine())


def vector_unit() -> str:
    """The widest vector instructions that the processor names, such as AVX-512."""
    flags = set(" ".join([*cpu_facts("flags"), *cpu_facts("Features")]).split())
    known = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX", "sve": "SVE", "asimd": "NEON"}
    return next((name for flag, name in known.items() if flag in flags), "not known")


def cpu_facts(key: str) -> list[str]:
    """The values that Linux gives for each core under a key."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    pairs = [line.partition(":")[::2] for line in lines]
    return [value.strip() for name, value in pairs if name.strip() == key]
