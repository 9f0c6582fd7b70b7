"""The report for programs and documents: JSON, CSV, Markdown."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

from seqonnx.report.format import (
    count_text,
    header_items,
    printable,
    row_shape_text,
    shape_text,
    sizes_text,
    speed_cells,
    total_items,
)
from seqonnx.report.polynomial import GraphShape, Polynomial
from seqonnx.report.records import ModelReport, Row, Tensor, Totals

CSV_COLUMNS = (
    "name",
    "op_type",
    "layer",
    "output_shape",
    "dtype",
    "params",
    "weight_bytes",
    "macs",
    "macs_at",
    "provider",
)


def to_json(report: ModelReport, *, ascii_only: bool = False) -> str:
    """Return the report as one JSON object.

    Args:
        report: the records.
        ascii_only: escape every other character as JSON has it, for a stream that cannot hold it.

    Shapes are lists of integers, dimension names and null (unknown); an unknown rank is null.
    `macs` is an integer where it depends on no dynamic dimension, else a string such as
    `"1234 * batch"`, or null where it is not counted or has no such form. `macs_at` is the integer
    at `sizes`, or null; where `complete` is false both leave operators out. A row of an If,
    Loop or Scan carries its inner rows in `body`; they are already added up in the row. Where
    `peak_activation_bytes` is null, `least_activation_bytes` says what is known of it: a lower
    bound.
    """
    return json.dumps(plain(report), indent=2, ensure_ascii=ascii_only) + "\n"


def to_csv(report: ModelReport) -> str:
    """Return the rows as CSV with a header line.

    Columns are as in the JSON rows; a shape is written as a JSON list, what is unknown is empty.
    Rows of subgraph bodies are left out, so every column adds up to its total.
    """
    buffer = StringIO()
    columns = (*CSV_COLUMNS, "latency_ms") if report.latency else CSV_COLUMNS
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        record = _row(row)
        shape = record["output_shape"]
        record["output_shape"] = None if shape is None else json.dumps(shape, ensure_ascii=False)
        writer.writerow(record)
    return buffer.getvalue()


def to_markdown(report: ModelReport) -> str:
    """Return the report as Markdown: a list of facts, and tables that GitHub renders."""
    return "\n".join(_markdown_lines(report)) + "\n"


def plain(report: ModelReport) -> dict[str, Any]:
    """Return the report as plain values: what the JSON holds (see `to_json`)."""
    return {
        "file": report.file,
        "file_bytes": report.file_bytes,
        "external_bytes": report.external_bytes,
        "producer": report.producer,
        "ir_version": report.ir_version,
        "opsets": dict(report.opsets),
        "functions": dict(report.functions),
        "metadata": dict(report.metadata),
        "inputs": [_tensor(tensor) for tensor in report.inputs],
        "outputs": [_tensor(tensor) for tensor in report.outputs],
        "rows": [_row(row) for row in report.rows],
        "totals": _totals(report.totals),
        "op_counts": dict(report.op_counts),
        "not_counted": dict(report.not_counted),
        "sizes": dict(report.sizes),
        "notes": list(report.notes),
        "checks": [asdict(check) for check in report.checks],
        **({} if report.latency is None else {"latency": asdict(report.latency)}),
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    """Return an input or output as plain values."""
    return {"name": tensor.name, "dtype": _known(tensor.dtype), "shape": _shape(tensor.shape)}


def _row(row: Row) -> dict[str, Any]:
    """Return a row as plain values."""
    record: dict[str, Any] = {
        "name": row.name,
        "op_type": row.op_type,
        "layer": row.layer,
        "output_shape": _shape(row.output_shape),
        "dtype": _known(row.dtype),
        "params": row.params,
        "weight_bytes": row.weight_bytes,
        "macs": _count(row.macs),
        "macs_at": row.macs_at,
        "complete": row.complete,
        "trainable": row.trainable,
        "provider": row.provider,
    }
    if row.latency_ms is not None:
        record["latency_ms"] = row.latency_ms
    if row.body:
        record["body"] = [_row(inner) for inner in row.body]
    return record


def _known(dtype: str) -> str | None:
    """Return a dtype, or None for the unknown one."""
    return None if dtype == "?" else dtype


def _totals(totals: Totals) -> dict[str, Any]:
    """Return the totals as plain values."""
    record = {
        "params": totals.params,
        "weight_bytes": totals.weight_bytes,
        "macs": _count(totals.macs),
        "macs_at": totals.macs_at,
        "complete": totals.complete,
        "nodes": totals.nodes,
        "peak_activation_bytes": totals.peak_activation_bytes,
    }
    if totals.peak_activation_bytes is None:
        record["least_activation_bytes"] = totals.least_activation_bytes
    return record


def _shape(shape: GraphShape) -> list[int | str | None] | None:
    """Return a shape as a list."""
    return None if shape is None else list(shape)


def _count(count: Polynomial | None) -> int | str | None:
    """Return a count as an integer where it is one, else as an expression."""
    if count is None:
        return None
    return count.format(separator="") if count.constant is None else count.constant


def _markdown_lines(report: ModelReport) -> Iterator[str]:
    """Yield the lines of the Markdown document."""
    yield f"# {_cell(report.file)}"
    yield ""
    yield from (f"- **{_cell(label)}**: {_cell(text)}" for label, text in header_items(report))
    yield ""
    tensors = [(kind, t) for kind, ts in _signature(report) for t in ts]
    yield from _markdown_table(
        ("", "Name", "Type", "Shape"),
        [(kind, t.name, t.dtype, shape_text(t.shape)) for kind, t in tensors],
        "llll",
    )
    yield ""
    first = ("Layer", "Class") if report.grouped else ("Node", "Operator")
    timed = () if report.latency is None else ("ms", "GFLOP/s")
    macs = f"MACs at {sizes_text(report.sizes)}" if report.sizes else "MACs"
    yield from _markdown_table(
        (*first, "Output shape", "Type", "Params", macs, *timed),
        [
            (
                row.name,
                row.op_type,
                row_shape_text(row) if row.op_type else "",
                _known(row.dtype) or "",
                f"{row.params:,}",
                count_text(row.macs_at, row.complete),
                *(speed_cells(row) if timed else ()),
            )
            for row in report.rows
        ],
        "llllrr" + "r" * len(timed),
    )
    yield ""
    yield from (f"- **{_cell(label)}**: {_cell(text)}" for label, text in total_items(report))


def _signature(report: ModelReport) -> Sequence[tuple[str, tuple[Tensor, ...]]]:
    """Return inputs and outputs with their kind."""
    return (("input", report.inputs), ("output", report.outputs))


def _markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], alignment: str
) -> Iterator[str]:
    """Yield a pipe table; `alignment` has `l` or `r` per column."""
    yield f"| {' | '.join(map(_cell, header))} |"
    yield f"|{'|'.join('---:' if side == 'r' else '---' for side in alignment)}|"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    """Escape what Markdown would take for markup in running text."""
    escaped = printable(text).replace("\\", "\\\\")
    for sign in "|*_`<>[]":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped
