"""The ruled summary of the Sequential guide: fixed columns, `_` and `=` rules, no sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seqonnx.report.summary_rows import LayerRow, SummaryTotals, row_title

_CHAIN = (65, (0.45, 0.85, 1.0))
_GRAPH = (98, (0.33, 0.55, 0.67, 1.0))
_TRAINABLE_WIDTH = 11
_PARAMS = 2


def plain_summary(
    name: str,
    rows: Sequence[LayerRow],
    totals: SummaryTotals,
    line_length: int | None,
    positions: Sequence[float] | None,
    show_trainable: bool,
    encoding: str,
) -> str:
    """Lay out the summary with rules; see `render_summary`."""
    connected = any(row.connected_to for row in rows)
    width, default = _GRAPH if connected else _CHAIN
    length = line_length or width
    stops = tuple(positions or default)
    ends = [int(stop) if stops[-1] > 1 else int(length * stop) for stop in stops]
    header = ["Layer (type)", "Output Shape", "Param #"]
    if connected:
        header.append("Connected to")
    if show_trainable:
        length += _TRAINABLE_WIDTH
        ends.append(length)
        header.append("Trainable")
    lines = [f'Model: "{name}"', "_" * length, _line(header, ends), "=" * length]
    for index, row in enumerate(rows):
        cells = _cells(row, connected, show_trainable, encoding)
        lines.extend(_line(line, ends) for line in cells)
        lines.append(("=" if index == len(rows) - 1 else "_") * length)
    weights = totals.trainable + totals.non_trainable
    lines += [
        f"Total params: {weights:,}",
        f"Trainable params: {totals.trainable:,}",
        f"Non-trainable params: {totals.non_trainable:,}",
        "_" * length,
    ]
    return "".join(f"{line}\n" for line in lines)


def _cells(
    row: LayerRow, connected: bool, show_trainable: bool, encoding: str
) -> Iterator[list[str]]:
    """Yield the cells of one layer; further inputs take a line each."""
    cells = [
        f"{row_title(row, encoding)} ({row.class_name})",
        "?" if row.output_shape is None else str(row.output_shape),
        str(row.params) if row.built else "0 (unbuilt)",
    ]
    if connected:
        cells.append(row.connected_to[0] if row.connected_to else "")
    if show_trainable:
        cells.append({True: "Y", False: "N", None: "-"}[row.trainable])
    yield cells
    yield from (["", "", "", source] for source in row.connected_to[1:])


def _line(cells: Sequence[str], ends: Sequence[int]) -> str:
    """Put cells into columns; one that is too long is cut a blank before its column's end.

    A number of parameters is never cut, as it would be another number: its line grows.
    """
    line = ""
    for index, (cell, end) in enumerate(zip(cells, ends, strict=False)):
        if index > 0:
            line = f"{line} " if len(line) > ends[index - 1] else f"{line[:-1]} "
        line = f"{line}{cell}"
        if index != _PARAMS:
            line = line[:end]
        line = line.ljust(end)
    return line
