"""Compare two ONNX files: facts, nodes, weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from seqonnx.graph.damage import reading
from seqonnx.report.diff.graphs import PairedNode
from seqonnx.report.diff.node_changes import node_changes
from seqonnx.report.diff.pairs import Compared, Shapes, paired_files
from seqonnx.report.diff.records import (
    ChangedDetail,
    ChangedNode,
    ChangedWeight,
    FileDifference,
    LoneNode,
)
from seqonnx.report.diff.running import Arrays, run_both
from seqonnx.report.diff.weight_changes import weight_changes
from seqonnx.report.format import shape_text
from seqonnx.report.records import ModelReport, Tensor


def diff_files(
    one: str | Path,
    two: str | Path,
    shapes: Shapes | None = None,
    *,
    run: bool = False,
    inputs: Arrays | None = None,
) -> FileDifference:
    """Compare two ONNX files.

    Nodes are paired by what they compute and where they stand, not by name alone.

    Args:
        one: the first file.
        two: the second file.
        shapes: a shape per input, at which MACs are counted, as for `collect`.
        run: whether to run both on the CPU, and to compare value by value until they part.
        inputs: an array per input of the first file to run on; None for small random numbers.

    Returns:
        What differs. Names of nodes and of values inside are no difference.

    Raises:
        ModelFileError: if a file cannot be read, or its data beside it.
        ValueError: if `shapes` does not fit the inputs, or the inputs do not correspond.
        ExecutionError: if ONNX Runtime refuses a model or its inputs.

    Example:
        >>> diff_files("model.onnx", "model.onnx").equal  # doctest: +SKIP
        True
    """
    compared = paired_files(one, two, shapes)
    with reading(f"{one}, {two}"):
        found = _differences(compared)
    return replace(found, run=run_both(compared, inputs, shapes or {})) if run else found


def _differences(compared: Compared) -> FileDifference:
    """Say what differs in two files whose nodes are paired."""
    one, two = compared.reports
    changed: list[ChangedNode] = []
    weights: list[ChangedWeight] = []
    renamed, paired = [], 0
    dims = _dimension_names(one, two)
    versions = (one.opsets, two.opsets)
    for left, right in (compared.graphs, *compared.bodies):
        for node in left.nodes:
            other = compared.pairing.other(node)
            if other is None:
                continue
            paired += 1
            found = node_changes((left, node), (right, other), compared.pairing, versions, dims)
            own = weight_changes((left, node), (right, other))
            weights += own
            if len(found) > 0:
                name, other_name = node.row.name, other.row.name
                changed.append(ChangedNode(name, other_name, node.row.op_type, tuple(found)))
            elif node.row.name != other.row.name:
                renamed.append((node.row.name, other.row.name))
    removed, added = _alone(compared)
    return FileDifference(
        file=one.file,
        other=two.file,
        facts=tuple(_facts(one, two)),
        sizes=tuple(_sizes(one, two)),
        removed=tuple(removed),
        added=tuple(added),
        changed=tuple(changed),
        weights=tuple({(w.name, w.other_name): w for w in reversed(weights)}.values())[::-1],
        renamed=tuple(renamed),
        paired=paired,
    )


def _alone(compared: Compared) -> tuple[list[LoneNode], list[LoneNode]]:
    """Return the nodes that only one file has; their bodies count as theirs."""
    removed, added = [], []
    for left, right in (compared.graphs, *compared.bodies):
        removed += [_lone(node) for node in left.nodes if compared.pairing.is_free(node)]
        added += [_lone(node) for node in right.nodes if not compared.pairing.is_taken(node)]
    return removed, added


def _lone(node: PairedNode) -> LoneNode:
    row = node.row
    return LoneNode(row.name, row.op_type, row.output_shape, row.params, row.macs_at)


def _facts(one: ModelReport, two: ModelReport) -> Iterator[ChangedDetail]:
    """Yield what differs in versions, metadata, inputs and outputs."""
    yield from _change("IR version", str(one.ir_version), str(two.ir_version))
    yield from _change("producer", one.producer, two.producer)
    for domain in dict.fromkeys((*one.opsets, *two.opsets)):
        before, after = (str(report.opsets.get(domain, "")) for report in (one, two))
        yield from _change(f"opset {domain}", before, after)
    for key in dict.fromkeys((*one.metadata, *two.metadata)):
        before, after = (report.metadata.get(key, "") for report in (one, two))
        yield from _change(f"metadata {key}", before, after)
    for what, lefts, rights in (
        ("input", one.inputs, two.inputs),
        ("output", one.outputs, two.outputs),
    ):
        for index in range(max(len(lefts), len(rights))):
            before, after = (_value(values, index) for values in (lefts, rights))
            yield from _change(f"{what} {index}", before, after)


def _change(what: str, before: str, after: str) -> Iterator[ChangedDetail]:
    """Yield a change if there is one."""
    if before != after:
        yield ChangedDetail(what, before or "none", after or "none")


def _value(values: Sequence[Tensor], index: int) -> str:
    """Write an input or output; nothing if there are fewer."""
    if index >= len(values):
        return ""
    value = values[index]
    return f"{value.name} {value.dtype} {shape_text(value.shape)}"


def _sizes(one: ModelReport, two: ModelReport) -> Iterator[tuple[str, int | None, int | None]]:
    """Yield numbers of both files."""
    left, right = one.totals, two.totals
    before, after = (report.file_bytes + report.external_bytes for report in (one, two))
    yield ("bytes", before, after)
    yield ("nodes", left.nodes, right.nodes)
    yield ("params", left.params, right.params)
    yield ("weight bytes", left.weight_bytes, right.weight_bytes)
    yield ("MACs", left.macs_at, right.macs_at)
    yield ("peak activations", left.peak_activation_bytes, right.peak_activation_bytes)


def _dimension_names(one: ModelReport, two: ModelReport) -> dict[str, str]:
    """Return what the first file calls the dimensions of the inputs of the second."""
    return {
        after: before
        for left, right in zip(one.inputs, two.inputs, strict=False)
        for before, after in zip(left.shape or (), right.shape or (), strict=False)
        if isinstance(before, str) and isinstance(after, str)
    }
