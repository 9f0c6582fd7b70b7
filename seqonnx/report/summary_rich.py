"""The boxed summary of Keras 3."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from io import StringIO
from itertools import pairwise

from rich.box import ASCII, HEAVY_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqonnx.report.format import size_text, takes_boxes
from seqonnx.report.summary_rows import LayerRow, LayerShape, SummaryTotals, row_title

_CHAIN = (88, (0.45, 0.80, 1.0))
_GRAPH = (108, (0.30, 0.56, 0.74, 1.0))
_TRAINABLE_WIDTH = 12

_NUMBER, _NONE, _CLASS, _YES, _NO = (
    "color(34)",
    "color(45)",
    "color(33)",
    "bold color(34)",
    "bold color(9)",
)


def rich_summary(
    name: str,
    rows: Sequence[LayerRow],
    totals: SummaryTotals,
    line_length: int | None,
    positions: Sequence[float] | None,
    show_trainable: bool,
    console: Console | None,
    encoding: str,
) -> str:
    """Lay out the summary with box characters; see `render_summary`."""
    connected = any(row.connected_to for row in rows)
    width, stops = _GRAPH if connected else _CHAIN
    if show_trainable:
        width += _TRAINABLE_WIDTH
    columns = console.width if console is not None else shutil.get_terminal_size().columns
    length = line_length or min(width, columns - 4)
    colored = console is not None and console.is_terminal and not console.no_color
    buffer = StringIO()
    out = Console(
        file=buffer,
        width=length,
        force_terminal=colored,
        color_system="256" if colored else None,
        no_color=not colored,
        force_jupyter=False,
        highlight=False,
        legacy_windows=False,
    )
    table = _table(connected, _widths(positions or stops, length, show_trainable), length)
    table.box = HEAVY_HEAD if takes_boxes(encoding) else ASCII
    for row in rows:
        table.add_row(*_cells(row, connected, show_trainable, encoding))
    out.print(Text(f'Model: "{name}"', style="bold"), soft_wrap=True)
    out.print(table)
    for line in _total_lines(totals):
        out.print(line, soft_wrap=True)
    text = buffer.getvalue()
    return text if takes_boxes(encoding) else text.replace("…", "~")  # where a cell was cut


def _widths(positions: Sequence[float], length: int, show_trainable: bool) -> list[int]:
    """Turn column ends (fractions of the line, or columns) into widths.

    Raises:
        ValueError: if a column would be narrower than 4.
    """
    if positions[-1] > 1:
        ends = [int(stop) for stop in positions]
    else:
        share = 0.9 if show_trainable else 1.0
        ends = [int(stop * share * length) for stop in positions]
    if show_trainable:
        ends.append(length)
    widths = [end - start for start, end in pairwise([0, *ends])]
    if min(widths) < 4:
        raise ValueError("Insufficient console width to print summary.")
    return widths


def _table(connected: bool, widths: Sequence[int], length: int) -> Table:
    """Return the empty table with its header."""
    header: list[tuple[str, str]] = [
        ("Layer (type)", "left"),
        ("Output Shape", "left"),
        ("Param #", "right"),
    ]
    if connected:
        header.append(("Connected to", "left"))
    if len(widths) > len(header):
        header.append(("Trainable", "center"))
    table = Table(width=length, show_lines=True)
    for (title, justify), width in zip(header, widths, strict=True):
        table.add_column(title, justify=justify, width=width)  # type: ignore[arg-type]
    return table


def _cells(row: LayerRow, connected: bool, show_trainable: bool, encoding: str) -> list[Text]:
    """Return the cells of one layer."""
    cells = [
        Text.assemble(f"{row_title(row, encoding)} (", (row.class_name, _CLASS), ")"),
        _shape(row.output_shape),
        Text.assemble((f"{row.params:,}", _NUMBER), "" if row.built else " (unbuilt)"),
    ]
    if connected:
        cells.append(Text(", ".join(row.connected_to) or "-"))
    if show_trainable:
        signs = {True: ("Y", _YES), False: ("N", _NO), None: ("-", "bold")}
        cells.append(Text.assemble(signs[row.trainable]))
    return cells


def _shape(shape: LayerShape | list[LayerShape] | None) -> Text:
    """Write `(None, 28, 28)`; several outputs as a list of them; `?` before a first call."""
    if shape is None:
        return Text("?")
    if isinstance(shape, list):
        return Text.assemble("[", Text(", ").join([_shape(one) for one in shape]), "]")
    dims = [Text(str(dim), style=_NONE if dim is None else _NUMBER) for dim in shape]
    return Text.assemble("(", Text(", ").join(dims), ")")


def _total_lines(totals: SummaryTotals) -> list[Text]:
    """Return the lines below the table."""
    items = [
        ("Total", totals.total, totals.total_bytes),
        ("Trainable", totals.trainable, totals.trainable_bytes),
        ("Non-trainable", totals.non_trainable, totals.non_trainable_bytes),
    ]
    if totals.optimizer is not None:
        items.append(("Optimizer", totals.optimizer, totals.optimizer_bytes))
    return [
        Text.assemble(
            (f" {label} params: ", "bold"), (f"{count:,}", _NUMBER), f" ({size_text(nbytes)})"
        )
        for label, count, nbytes in items
    ]
