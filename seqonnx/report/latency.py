"""Time the runs of a model, as a whole and by node, beside its MACs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx

from seqonnx.graph.files import EXTERNAL_FROM, read_model
from seqonnx.report.dimensions import evaluate
from seqonnx.report.polynomial import GraphShape
from seqonnx.report.read import graphs_of
from seqonnx.report.records import Latency, ModelReport, Row
from seqonnx.report.shapes import inline
from seqonnx.report.timed_nodes import NodeNames
from seqonnx.runtime import Device, Session, TensorSpec
from seqonnx.runtime.trials import made_up_inputs

Arrays = Mapping[str, npt.NDArray[Any]]
_WARM_UP: Final = 3
"""Runs before those that count: the first ones allocate memory and choose kernels."""
_MOST_PROFILED: Final = 50
_MOST_EVENTS: Final = 500_000
"""ONNX Runtime's profiler keeps a million events, of which a node makes one or two."""


def with_latency(
    report: ModelReport, runs: int, device: Device, inputs: Arrays | None = None
) -> ModelReport:
    """Run a model and return its report with the times.

    The whole is timed without the profiler, and with the copies of inputs and outputs to and from
    the device. The times of the rows come from further runs with it, at most 50; where ONNX
    Runtime fuses nodes, the time stands in the row that gave the fused one its operator.

    Args:
        report: returned by `collect`, at the sizes of the inputs.
        runs: how many runs to time, after 3 that do not count.
        device: where to run, from `select_device`.
        inputs: an array per input; None for small random numbers at the sizes of the report.

    Raises:
        ExecutionError: if ONNX Runtime refuses the model or the inputs.
        ModelFileError: if the file, or one with data beside it, cannot be read.

    Example:
        >>> with_latency(collect("model.onnx"), 20, select_device("cpu"))  # doctest: +SKIP
    """
    session = Session(Path(report.file), device, name=report.file)
    feeds = dict(_made_up(session.inputs, report) if inputs is None else inputs)
    times = _timed(session, feeds, runs)
    low, middle, high = (float(q) for q in np.percentile(times, [25, 50, 75]))
    del session
    by_node = _by_node(report, device, feeds, runs)
    rows = tuple(_with_time(row, by_node) for row in report.rows)
    macs = report.totals.macs_at
    latency = Latency(
        runs=runs,
        provider=device.providers[0].name,
        quartiles=(low, middle, high),
        gflops=2e-6 * macs / middle if macs and middle > 0 else None,
        complete=report.totals.complete,
        added_ms=by_node.get(None, 0.0),
    )
    return replace(report, rows=rows, latency=latency)


def _made_up(specs: tuple[TensorSpec, ...], report: ModelReport) -> Arrays:
    """Make inputs up at the sizes of the report, at which it counts MACs."""
    shapes = {tensor.name: tensor.shape for tensor in report.inputs}
    return next(
        made_up_inputs(tuple(_sized(spec, shapes.get(spec.name), report) for spec in specs))
    )


def _sized(spec: TensorSpec, shape: GraphShape, report: ModelReport) -> TensorSpec:
    """Give an input its sizes; 1 where nothing says one."""
    if shape is None:
        return spec
    sizes = (d if isinstance(d, int) else evaluate(d or "", report.sizes) for d in shape)
    return replace(spec, shape=tuple(1 if size is None else size for size in sizes))


def _timed(session: Session, feeds: dict[str, Any], runs: int) -> list[float]:
    """Return the milliseconds of each run."""
    times = []
    for number in range(-_WARM_UP, runs):
        start = perf_counter()
        session.run(feeds)
        if number >= 0:
            times.append(1000 * (perf_counter() - start))
    return times


def _by_node(
    report: ModelReport, device: Device, feeds: dict[str, Any], runs: int
) -> dict[str | None, float]:
    """Return the milliseconds of a run that each node takes by its name; None for added nodes."""
    most = _MOST_EVENTS // max(report.totals.nodes, 1)
    count = _WARM_UP + max(1, min(runs, _MOST_PROFILED, most - _WARM_UP))
    model, content = _named(report)
    with TemporaryDirectory() as folder:
        trace = Path(folder) / "profile.json"
        session = Session(content, device, name=report.file, profile=trace)
        for _ in range(count):
            session.run(feeds)
        records = session.end_profile()
    names = NodeNames(model)
    times: dict[str | None, list[int]] = defaultdict(list)
    for record in records:
        times[names.owner(record)].append(record.microseconds)
    return {name: _per_run(taken, count) / 1000 for name, taken in times.items()}


def _named(report: ModelReport) -> tuple[onnx.ModelProto, bytes | Path]:
    """Return the model with the names of the report for nodes without one, and what to load.

    One that is too large for memory is loaded as it is: nodes without a name have no time then.
    """
    path = Path(report.file)
    large = report.file_bytes + report.external_bytes >= EXTERNAL_FROM
    model = read_model(path, weights=not large)
    inline(model)
    for graph in graphs_of(model):
        for node in graph.node:
            if not node.name:
                node.name = next(filter(None, node.output), node.op_type)
    return model, path if large else model.SerializeToString()


def _per_run(taken: Sequence[int], runs: int) -> float:
    """Return the microseconds of a run from those of all executions, the first runs among them.

    That is the median where as many were made in each run, as all are but those in an If whose
    condition changes; for these it is the mean.
    """
    often, rest = divmod(len(taken), runs)
    if rest > 0:
        return sum(taken) / runs
    starts = range(_WARM_UP * often, len(taken), often)
    return median(sum(taken[start : start + often]) for start in starts)


def _with_time(row: Row, by_node: Mapping[str | None, float]) -> Row:
    """Return a row with the time of its nodes; the time of bodies is in that of their node."""
    known = [by_node[name] for name in dict.fromkeys(row.members) if name in by_node]
    body = tuple(_with_time(inner, by_node) for inner in row.body)
    return replace(row, latency_ms=sum(known) if len(known) > 0 else None, body=body)
