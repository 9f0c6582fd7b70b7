"""Facts about a model: plain frozen records that every form of a report reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seqonnx.report.polynomial import GraphShape, Polynomial


@dataclass(frozen=True)
class Tensor:
    """A named value: `dtype` is `float32`, `int64`, `sequence(float32)` ... or `?`."""

    name: str
    dtype: str
    shape: GraphShape


@dataclass(frozen=True)
class Row:
    """One line of the table: a node, or a layer of a model that seqonnx wrote.

    Args:
        name: name of the layer, or of the node (its first output where the node has no name).
        op_type: operator (with its domain unless standard), or the class of the layer.
        layer: name of the layer that emitted the node; None in models of other producers.
        output_shape: shape of the first output.
        dtype: that of the first output.
        params: numbers in the weights that this row reads first.
        weight_bytes: bytes of those weights.
        macs: multiply-accumulates in terms of the dynamic dimensions; None if not counted or
            if they cannot be expressed so.
        macs_at: the same number at the sizes of the report; None if not counted.
        complete: False if `macs_at` leaves something out (the row or a node within it), or counts
            one pass of a loop whose length is not known.
        members: names of the nodes of the graph itself that the row stands for.
        body: rows of the nodes inside If, Loop and Scan, already added up in this row.
        trainable: whether training updates the layer; None where unknown.
        provider: ONNX Runtime execution providers that run the row; None where not asked.
        latency_ms: milliseconds of a run that its nodes take; None where they were not measured.
    """

    name: str
    op_type: str
    layer: str | None
    output_shape: GraphShape
    dtype: str
    params: int
    weight_bytes: int
    macs: Polynomial | None
    macs_at: int | None
    complete: bool = True
    members: tuple[str, ...] = ()
    body: tuple[Row, ...] = ()
    trainable: bool | None = None
    provider: str | None = None
    latency_ms: float | None = None


@dataclass(frozen=True)
class Totals:
    """Sums over the rows, and the estimate of the memory for activations.

    Args:
        params: numbers in all weights, each stored tensor once.
        weight_bytes: bytes of all weights.
        macs: sum of the rows; None if it is unknown in terms of the dynamic dimensions.
        macs_at: sum of the rows at the sizes of the report; None if nothing could be counted.
        complete: False if `macs_at` leaves some operators or passes of a loop out.
        nodes: nodes after inlining model-local functions, subgraph bodies included.
        peak_activation_bytes: largest sum of sizes of values alive at once, for nodes run in file
            order without sharing or reusing buffers in place; None if a size is unknown.
        least_activation_bytes: the same sum over the values whose size is known, which the peak is
            not below; equal to it where it is known.
    """

    params: int
    weight_bytes: int
    macs: Polynomial | None
    macs_at: int | None
    complete: bool
    nodes: int
    peak_activation_bytes: int | None
    least_activation_bytes: int = 0


@dataclass(frozen=True)
class Check:
    """The result of one validation: `detail` is one line, empty if it passed."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Latency:
    """Milliseconds that runs of the whole model took.

    Args:
        runs: number of runs that were timed.
        provider: ONNX Runtime execution provider that was asked for first.
        quartiles: the lower quartile, the median and the upper quartile.
        gflops: billions of floating point operations per second at the median, two for each MAC;
            None if no MACs are known.
        complete: False if `gflops` leaves operators out.
        added_ms: milliseconds of a run in nodes that ONNX Runtime has added to those of the file.
    """

    runs: int
    provider: str
    quartiles: tuple[float, float, float]
    gflops: float | None
    complete: bool
    added_ms: float


@dataclass(frozen=True)
class ModelReport:
    """Everything `seqonnx inspect` prints about one file.

    Args:
        file: path as given.
        file_bytes: size of the file.
        external_bytes: bytes of tensors that the file keeps in other files.
        producer: name and version of the program that wrote it.
        ir_version: version of the file format.
        opsets: version per operator domain (the standard one is `ai.onnx`).
        functions: call nodes per model-local function, `domain.name`.
        metadata: `metadata_props` of the file.
        inputs: what the caller feeds (initializers excluded).
        outputs: what the model returns.
        rows: the table; params and MACs of the rows add up to the totals.
        totals: the sums.
        op_counts: nodes per operator, most frequent first.
        not_counted: nodes per operator that has no MAC rule or whose shapes are unknown.
        sizes: size taken for each dynamic dimension in `macs_at` and the activation memory.
        notes: what is unknown or odd, one sentence each.
        grouped: True if rows are layers, False if rows are nodes.
        checks: validations that were asked for.
        latency: of runs, if any were asked for.
    """

    file: str
    file_bytes: int
    external_bytes: int
    producer: str
    ir_version: int
    opsets: Mapping[str, int]
    functions: Mapping[str, int]
    metadata: Mapping[str, str]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    rows: tuple[Row, ...]
    totals: Totals
    op_counts: Mapping[str, int]
    not_counted: Mapping[str, int]
    sizes: Mapping[str, int]
    notes: tuple[str, ...] = field(default=())
    grouped: bool = False
    checks: tuple[Check, ...] = ()
    latency: Latency | None = None
