"""Where a training step of one of the benchmark's workloads spends its time.

    python tools/bench/profile_step.py cifar_vgg
    python tools/bench/profile_step.py separable --threads 1 --by layer --rows 40
    python tools/bench/profile_step.py xception --json profile.json

The profile is that of ONNX Runtime's own profiler, on the CPU. The step graph, its session options,
bindings and state are those that `fit` trains with: one step in a run, on a full batch. Some steps
are taken to warm up, then several are profiled; all tables show the one whose time is the median.
On a busy machine every run has some nodes that were interrupted: with `--medians` the tables show
the median of each node over the runs.

* "part" tells what a node is for by its name. An update that ONNX Runtime computes together with
  the gradient, as SGD's of a Dense kernel, counts as optimizer.
* "nodes" counts nodes of the graph, "calls" their executions: a node in the body of a Scan is
  executed many times. The time of a Scan is that of its nodes; its own row has only the rest.
* "between nodes" is what no node had. Much of it is the profiler's: some microseconds for each
  call, which a step of many small nodes shows most.
* GFLOP counts a multiplication and an addition as two operations: those of the node, which may be
  more than the layer needs, as where a depthwise convolution has become a matrix product. Beside
  the rates stands that of a matrix product of NumPy on as many threads, measured before the
  profile: on a busy machine both fall.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import PROBE_FLOPS, PROBE_STEPS, WIDTH, limit_cores
from bench_keras_api import build, compile_model, missing_layer
from bench_pool import PROBE, Client, Limits
from bench_report import machine
from bench_seqonnx import share_threads, versions
from bench_workloads import WORKLOADS, Workload
from profile_trace import (
    PARTS,
    Execution,
    Group,
    Run,
    factors,
    grouped,
    layer_name,
    median_run,
    operations,
    read_runs,
    typical_run,
)
from rich.console import Console
from rich.table import Table

import seqonnx
from seqonnx.runtime import CPU
from seqonnx.training.feeding import single_batch
from seqonnx.training.runner import StepRunner
from seqonnx.training.state import DeviceState

TRAINED = [name for name, workload in WORKLOADS.items() if workload.task == "train"]
WARM_STEPS = 2
PRODUCT = ("operator", "part", "input", "weights", "output")
"""The factor that the table of products is by; "weights" is the second one of any product."""
PROBES = 5
PATIENCE = 60.0  # seconds until a matrix product counts as hung


@dataclass(frozen=True)
class Profile:
    """Some profiled runs of a step.

    Attributes:
        runs: all of them.
        shown: what the tables are about.
        layers: names of the layers that hold no other layer.
        product_gflops: rate of the matrix product, in thousand million operations per second.
    """

    runs: Sequence[Run]
    shown: Run
    layers: frozenset[str]
    product_gflops: float

    @property
    def milliseconds(self) -> list[float]:
        """Times of the runs."""
        return [run.microseconds / 1e3 for run in self.runs]

    def percent(self, microseconds: int) -> float:
        """Share of what is shown."""
        return 100 * microseconds / self.shown.microseconds


def product_rate(workload: str, threads: int) -> float:
    """Rate of the benchmark's matrix product in a process of its own: the best of several."""
    with Client(PROBE, Limits("cpu", threads, PATIENCE)) as client:
        client.hello()
        client.ask("prepare", contestant="probe", workload=workload)
        answers = [client.ask("run", contestant="probe", steps=PROBE_STEPS) for _ in range(PROBES)]
    return float(PROBE_FLOPS / min(answer["ms"] for answer in answers) / 1e6)


def profiled(workload: Workload, runs: int) -> tuple[list[Run], frozenset[str]]:
    """Take steps and profile them.

    Returns:
        The runs after the first few, and the names of the model's innermost layers.
    """
    seqonnx.set_random_seed(0)
    seqonnx.set_device("cpu")
    model = build(seqonnx, workload)
    compile_model(seqonnx, model, workload)
    x, y = dataclasses.replace(workload, steps=1).data()
    trainer = model._sessions.trainer()
    staged = trainer.stage_train([single_batch(model, model._sessions.heads, x, y, None, None)], 0)
    graph = trainer.step_graph(staged)
    trainer.release()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        runner = StepRunner(graph, DeviceState(CPU), training=True, profile=trace)
        rate = workload.optimizer.learning_rate
        for step in range(1, WARM_STEPS + runs + 1):
            runner.run(staged, [rate], [step])
        runner.end_profile()
        found = read_runs(trace)[WARM_STEPS:]
    return found, frozenset(layer.name for layer in model._leaf_layers())


def keys(profile: Profile) -> dict[str, Callable[[Execution], tuple[str, ...]]]:
    """The keys of a row in the first table, by the argument `--by`."""
    return {
        "operator": lambda one: (one.part, one.op),
        "layer": lambda one: (one.part, layer_name(one.node, profile.layers)),
        "node": lambda one: (one.part, one.node),
    }


def parts_table(profile: Profile, by: str, rows: int) -> Table:
    """Where the time went, part by part."""
    executions = profile.shown.executions
    groups = grouped(executions, keys(profile)[by])
    shown = {group.key for group in groups[:rows]}
    parts = {group.key[0]: group for group in grouped(executions, lambda one: (one.part,))}
    table = Table(title=f"by part and {by}")
    table.add_column(f"part, {by}", overflow="fold")
    for heading in ("nodes", "calls", "ms", "%"):
        table.add_column(heading, justify="right", no_wrap=True)
    for part in (part for part in PARTS if part in parts):
        table.add_section()
        table.add_row(part, *numbers(profile, parts[part]), style="bold")
        inside = [group for group in groups if group.key[0] == part]
        for group in inside:
            if group.key in shown:
                table.add_row(f"  {group.key[1]}", *numbers(profile, group))
        rest = [group for group in inside if group.key not in shown]
        if rest:
            merged = Group((), tuple(one for group in rest for one in group.executions))
            table.add_row(f"  {len(rest)} more", *numbers(profile, merged), style="dim")
    table.add_section()
    between = profile.shown.between
    table.add_row("between nodes", "", "", *time_cells(profile, between), style="bold")
    return table


def nodes_table(profile: Profile, rows: int) -> Table:
    """The costliest nodes."""
    groups = grouped(profile.shown.executions, lambda one: (one.node, one.op))
    title = f"the costliest {min(rows, len(groups))} of {len(groups)} nodes"
    table = Table("node", "operator", "outputs", title=title)
    for heading in ("calls", "ms", "%"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in groups[:rows]:
        outputs = ", ".join(map(shape_text, group.executions[0].outputs))
        cells = (*group.key, outputs, str(group.calls))
        table.add_row(*cells, *time_cells(profile, group.microseconds))
    return table


def products_table(profile: Profile, rows: int) -> Table:
    """Convolutions and matrix products, by their shapes."""
    groups = product_groups(profile.shown)
    rate = profile.product_gflops
    caption = f"last column: GFLOP/s over the {rate:.0f} of a 1024 x 1024 matrix product"
    table = Table(*PRODUCT, title="products by shape", caption=caption)
    for heading in ("calls", "ms", "GFLOP", "GFLOP/s", "of product"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in groups[:rows]:
        table.add_row(*group.key, *product_cells(group, rate))
    if groups:
        table.add_section()
        whole = Group((), tuple(one for group in groups for one in group.executions))
        blank = [""] * (len(PRODUCT) - 1)
        table.add_row(f"all {len(groups)}", *blank, *product_cells(whole, rate), style="bold")
    return table


def product_groups(run: Run) -> list[Group]:
    """Convolutions and matrix products by `PRODUCT`."""
    products = [one for one in run.executions if operations(one) is not None]
    return grouped(
        products,
        lambda one: (one.op, one.part, *map(shape_text, (*factors(one), one.outputs[0]))),
    )


def numbers(profile: Profile, group: Group) -> tuple[str, ...]:
    """Nodes, calls, time and share of a group."""
    return (str(group.nodes), str(group.calls), *time_cells(profile, group.microseconds))


def time_cells(profile: Profile, microseconds: int) -> tuple[str, str]:
    """Time and share."""
    return f"{microseconds / 1e3:.2f}", f"{profile.percent(microseconds):.1f}"


def product_cells(group: Group, rate: float) -> tuple[str, ...]:
    """Calls, time, operations and rate of products."""
    return (
        str(group.calls),
        f"{group.microseconds / 1e3:.2f}",
        f"{group.operations / 1e9:.3f}",
        f"{group.gflops:.1f}",
        f"{group.gflops / rate:.2f}",
    )


def shape_text(shape: Sequence[int]) -> str:
    """A shape as people write it."""
    return "x".join(map(str, shape)) or "scalar"


def heading(name: str, workload: Workload, profile: Profile, facts: dict[str, Any]) -> str:
    """The heading: what was measured, on which machine."""
    times = profile.milliseconds
    here = "" if workload == WORKLOADS[name] else f" (here batch {workload.batch})"
    return "\n".join(
        [
            ", ".join(f"{key}: {value}" for key, value in facts.items()),
            f"{name}: {workload.summary}{here}",
            f"step: {statistics.median(times):.2f} ms, median of {len(times)} profiled runs "
            f"({min(times):.2f} to {max(times):.2f}); "
            f"in the tables: {profile.shown.microseconds / 1e3:.2f} ms; "
            f"matrix product: {profile.product_gflops:.0f} GFLOP/s",
        ]
    )


def as_json(name: str, profile: Profile, facts: dict[str, Any]) -> dict[str, Any]:
    """All numbers of the tables, without the limit on rows."""
    executions = profile.shown.executions

    def listed(key: Callable[[Execution], tuple[str, ...]], *names: str) -> list[dict[str, Any]]:
        return [
            dict(zip(names, group.key, strict=True)) | _measured(profile, group)
            for group in grouped(executions, key)
        ]

    by = {word: listed(key, "part", word) for word, key in keys(profile).items()}
    return {
        "machine": facts,
        "workload": name,
        "runs_ms": profile.milliseconds,
        "median_ms": statistics.median(profile.milliseconds),
        "shown_ms": profile.shown.microseconds / 1e3,
        "matrix_product_gflops": profile.product_gflops,
        "between_nodes_ms": profile.shown.between / 1e3,
        "parts": listed(lambda one: (one.part,), "part"),
        **{f"by_{word}": rows for word, rows in by.items()},
        "products": [
            dict(zip(PRODUCT, group.key, strict=True))
            | _measured(profile, group)
            | {"gflop": group.operations / 1e9, "gflops": group.gflops}
            for group in product_groups(profile.shown)
        ],
    }


def _measured(profile: Profile, group: Group) -> dict[str, Any]:
    """Numbers of a group."""
    return {
        "nodes": group.nodes,
        "calls": group.calls,
        "ms": group.microseconds / 1e3,
        "percent": profile.percent(group.microseconds),
    }


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Profile a training step.")
    parser.add_argument("workload", choices=TRAINED)
    parser.add_argument("--threads", type=_positive, default=2, help="threads (default: 2)")
    parser.add_argument("--rows", type=_positive, default=25, help="rows of each table")
    parser.add_argument(
        "--by", choices=("operator", "layer", "node"), default="operator", help="rows of the parts"
    )
    parser.add_argument("--runs", type=_positive, default=7, help="steps to profile (default: 7)")
    parser.add_argument("--batch", type=_positive, help="samples, if fewer than the workload's")
    parser.add_argument(
        "--medians", action="store_true", help="show each node's median, not the median run"
    )
    parser.add_argument("--json", type=Path, help="file for the numbers")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on. Received: {text}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Profile, print, and write the numbers; returns the exit code."""
    options = parse(arguments)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    name, workload = options.workload, WORKLOADS[options.workload]
    missing = missing_layer(seqonnx, workload)
    if missing is not None:
        console.print(f"{name} cannot be built: {missing}", highlight=False, markup=False)
        return 2
    if options.batch is not None:
        workload = workload.smaller(options.batch, 1)
    limit_cores(options.threads)
    share_threads(options.threads)
    rate = product_rate(name, options.threads)
    runs, layers = profiled(workload, options.runs)
    shown = typical_run(runs) if options.medians else median_run(runs)
    profile = Profile(runs, shown, layers, rate)
    facts = machine("cpu", options.threads) | versions()
    console.print(heading(name, workload, profile, facts), highlight=False, markup=False)
    console.print(parts_table(profile, options.by, options.rows))
    console.print(nodes_table(profile, options.rows))
    console.print(products_table(profile, options.rows))
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(name, profile, facts), indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
