"""The report as text for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqonnx.report.format import (
    count_text,
    header_items,
    printable,
    provider_text,
    row_shape_text,
    shape_text,
    shortened,
    sizes_text,
    speed_cells,
    total_items,
)
from seqonnx.report.records import ModelReport, Row, Tensor

_UNLIMITED = 10_000
_LONGEST_METADATA = 100
_MOST_LINES = 2000
"""Most lines of a table: laying one out takes about a millisecond."""
_GAP = 2
"""Blanks between two columns."""
_SHORTEST = 12
_NAMES_NEED = 24
"""Columns that names get even where the others have to be folded for it."""
_TYPES_FIT = 100  # columns below which shapes need the room more than dtypes do


def render_text(report: ModelReport, *, width: int | None = None, color: bool = False) -> str:
    """Lay out a report as text.

    Args:
        report: the records.
        width: columns available; None for as wide as the content needs.
        color: whether to emphasise with ANSI codes.

    Returns:
        Lines without trailing blanks, the last one ended by a newline.

    Example:
        >>> print(render_text(collect("mnist.onnx"), width=100))
    """
    buffer = StringIO()
    console = Console(
        file=buffer,
        width=width or _UNLIMITED,
        force_terminal=color,
        color_system="standard" if color else None,
        force_jupyter=False,
        highlight=False,
        legacy_windows=False,
    )
    console.print(_pairs([(k, _shorten(k, text)) for k, text in header_items(report)]))
    for title, tensors in (("Inputs", report.inputs), ("Outputs", report.outputs)):
        console.print()
        console.print(Text(title, style="bold"))
        console.print(_tensors(tensors))
    console.print()
    console.print(_table(report, width))
    left_out = _left_out(sum(1 for _ in _flatten(report.rows)))
    if left_out:  # below the table, whose first column may be narrow
        console.print(Text(left_out))
    if report.sizes:
        console.print(Text(f"MACs at {sizes_text(report.sizes)}"))
    console.print()
    console.print(_pairs(total_items(report)))
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


def _shorten(label: str, text: str) -> str:
    """Cut long metadata (licences, embedded JSON); the JSON output has them whole."""
    if not label.startswith("Metadata") or len(text) <= _LONGEST_METADATA:
        return text
    return f"{text[:_LONGEST_METADATA]}… ({len(text):,} characters)"


def _pairs(items: Sequence[tuple[str, str]]) -> Table:
    """Lay out `label  text` lines."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in items[:_MOST_LINES]:
        table.add_row(Text(label), Text(text))
    _say_left_out(table, len(items))
    return table


def _tensors(tensors: Sequence[Tensor]) -> Table:
    """Lay out graph inputs or outputs."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for tensor in tensors[:_MOST_LINES]:
        cells = (f"  {printable(tensor.name)}", tensor.dtype, printable(shape_text(tensor.shape)))
        table.add_row(*map(Text, cells))
    _say_left_out(table, len(tensors))
    return table


def _table(report: ModelReport, width: int | None) -> Table:
    """Lay out the rows, those of subgraph bodies indented below their node."""
    with_types = width is None or width >= _TYPES_FIT
    with_provider = any(row.provider for row in report.rows)
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
    )
    table.add_column("Layer" if report.grouped else "Node", overflow="fold", min_width=_SHORTEST)
    table.add_column("Class" if report.grouped else "Operator", overflow="fold")
    table.add_column("Output shape", overflow="fold")
    if with_types:
        table.add_column("Type")
    table.add_column("Params", justify="right", no_wrap=True)
    table.add_column("MACs", justify="right", no_wrap=True)
    table.add_column("%", justify="right", no_wrap=True)
    if report.latency is not None:
        table.add_column("ms", justify="right", no_wrap=True)
        table.add_column("GFLOP/s", justify="right", no_wrap=True)
    if with_provider:
        table.add_column("Provider")
    rows = list(_flatten(report.rows))
    lines = [
        (row, depth, _cells(report, row, depth, with_types, with_provider))
        for row, depth in rows[:_MOST_LINES]
    ]
    headers = [str(column.header) for column in table.columns[1:]]
    room = _room(headers, [cells for *_, cells in lines], width)
    names = [_title(row, depth, room) for row, depth, _ in lines]
    if width is not None:  # or names and numbers would be folded as much as shapes are
        table.columns[0].width = min(max((_SHORTEST, *map(len, names))), room)
    for name, (*_, cells) in zip(names, lines, strict=True):
        table.add_row(*map(Text, (name, *cells)))
    return table


def _title(row: Row, depth: int, room: int) -> str:
    """Return the name of a row, indented in a body, as far as there is room for it."""
    indent = f"{'  ' * (depth - 1)}└ " if depth else ""
    return indent + shortened(printable(row.name), room - len(indent))


def _cells(
    report: ModelReport, row: Row, depth: int, with_types: bool, with_provider: bool
) -> list[str]:
    """Return what stands after the name of a row."""
    return [
        printable(row.op_type),
        printable(row_shape_text(row)) if row.op_type else "",
        *([row.dtype if row.dtype != "?" else ""] if with_types else []),
        f"{row.params:,}",
        count_text(row.macs_at, row.complete),
        "" if depth else _share(row, report),
        *(speed_cells(row) if report.latency is not None else []),
        *([provider_text(row.provider)] if with_provider else []),
    ]


def _room(headers: Sequence[str], lines: Sequence[Sequence[str]], width: int | None) -> int:
    """Return how many characters there are for names beside the other columns."""
    if width is None:
        return _UNLIMITED
    columns = zip(headers, *lines, strict=True)
    left = width - sum(_GAP + max(map(len, column)) for column in columns)
    return max(left, min(_NAMES_NEED, width // 3), _SHORTEST)


def _say_left_out(table: Table, count: int) -> None:
    """Say in a table how many lines are not shown, if any."""
    if _left_out(count):
        table.add_row(Text(_left_out(count)))


def _left_out(count: int) -> str:
    """How many of so many lines are not shown; empty for none. The other forms have them."""
    return f"… and {count - _MOST_LINES:,} more, all in --json" if count > _MOST_LINES else ""


def _flatten(rows: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """Yield each row with its depth, bodies after their node."""
    pending = [(row, 0) for row in reversed(rows)]
    while pending:
        row, depth = pending.pop()
        yield row, depth
        pending += [(child, depth + 1) for child in reversed(row.body)]


def _share(row: Row, report: ModelReport) -> str:
    """Return the part of all MACs that a row takes, in percent."""
    total = report.totals.macs_at
    if not total or row.macs_at is None:
        return ""
    return f"{100 * row.macs_at / total:.1f}"
