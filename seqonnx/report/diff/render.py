"""A comparison of two files as text and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from seqonnx.report.diff.records import ApartValue, FileDifference, LoneNode, RunDifference
from seqonnx.report.format import printable, shape_text

_UNLIMITED: Final = 10_000
_MOST_LINES: Final = 500
_MOST_RENAMED: Final = 10
_LONGEST: Final = 60
_RIGHT: Final = frozenset({"A", "B", "B - A", "Params", "MACs", "Largest", "Relative"})


def diff_text(found: FileDifference, *, width: int | None = None, color: bool = False) -> str:
    """Lay out a comparison as text.

    Args:
        found: returned by `diff_files`.
        width: columns available; None for as wide as the content needs.
        color: whether to emphasise with ANSI codes.

    Returns:
        Lines without trailing blanks, the last one ended by a newline.
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
    for letter, file in (("A", found.file), ("B", found.other)):
        console.print(Text(f"{letter}  {printable(file)}", style="bold"))
    console.print()
    for part in _parts(found):
        console.print(part)
        console.print()
    console.print(Text(_verdict(found), style="bold"))
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


def diff_json(found: FileDifference, *, ascii_only: bool = False) -> str:
    """Return a comparison as one JSON object, with `equal`; an infinite number is "inf"."""
    record = asdict(found)
    record["sizes"] = {label: [before, after] for label, before, after in found.sizes}
    document = _plain({"equal": found.equal, **record})
    return json.dumps(document, indent=2, ensure_ascii=ascii_only) + "\n"


def _plain(value: Any) -> Any:
    """Replace numbers that JSON lacks."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _parts(found: FileDifference) -> Iterable[RenderableType]:
    """Yield the tables that have rows."""
    yield _table("Sizes", ("", "A", "B", "B - A"), [_size(*size) for size in found.sizes])
    facts = [(fact.what, _short(fact.before), _short(fact.after)) for fact in found.facts]
    changes = [
        (node.name if index == 0 else "", change.what, _short(change.before), _short(change.after))
        for node in found.changed
        for index, change in enumerate(node.changes)
    ]
    weights = [
        (w.name, _one_or_two(w.before, w.after), _number(w.largest), _number(w.relative))
        for w in found.weights
    ]
    lone = ("Node", "Operator", "Output shape", "Params", "MACs")
    for title, header, rows in (
        ("File", ("", "In A", "In B"), facts),
        ("Only in A", lone, list(map(_lone, found.removed))),
        ("Only in B", lone, list(map(_lone, found.added))),
        ("Changed nodes", ("Node", "", "In A", "In B"), changes),
        ("Changed weights", ("Weight", "Form", "Largest", "Relative"), weights),
        ("Renamed nodes", ("In A", "In B"), list(found.renamed)),
    ):
        if len(rows) > 0:
            most = _MOST_RENAMED if rows[0] in found.renamed else _MOST_LINES
            yield _table(title, header, rows, most)
    if found.run is not None:
        yield _run(found.run)


def _table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], most: int = _MOST_LINES
) -> RenderableType:
    """Lay out a table under its title."""
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
    )
    for label in header:
        right = label in _RIGHT
        table.add_column(
            label, justify="right" if right else "left", no_wrap=right, overflow="fold"
        )
    for row in rows[:most]:
        table.add_row(*(Text(printable(cell)) for cell in row))
    if len(rows) > most:
        table.add_row(Text(f"… and {len(rows) - most:,} more, all in --json"))
    return Group(Text(title, style="bold"), table)


def _short(text: str) -> str:
    """Cut a long text, as that of a list of numbers; JSON has it whole."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _size(label: str, before: int | None, after: int | None) -> tuple[str, ...]:
    """Write a number of both files and their difference."""
    known = before is not None and after is not None
    change = f"{after - before:+,}" if before is not None and after is not None else "?"
    texts = ("?" if number is None else f"{number:,}" for number in (before, after))
    return (label, *texts, "" if known and before == after else change)


def _lone(node: LoneNode) -> tuple[str, ...]:
    macs = "?" if node.macs_at is None else f"{node.macs_at:,}"
    return (node.name, node.op_type, shape_text(node.output_shape), f"{node.params:,}", macs)


def _run(run: RunDifference) -> RenderableType:
    """Say where the values part, and how far apart the outputs are."""
    where = f"{run.compared:,} of {run.total:,} values compared: "
    if run.parted is None:
        where += "all agree as nearly as rounding explains"
    else:
        far = f", largest difference {_number(run.parted.largest)}"
        where += (
            f"they part at {run.parted.op_type} {run.parted.node} "
            f"(in B {run.parted.other_node}){far}"
        )
    header = ("Output", "Largest", "Relative")
    table = _table("Outputs", header, list(map(_apart, run.outputs)))
    return Group(table, Text(""), Text(printable(where)))


def _apart(value: ApartValue) -> tuple[str, str, str]:
    return value.value, _number(value.largest), _number(value.relative)


def _number(number: float | None) -> str:
    """Write a difference; `-` where there is none to tell."""
    return "-" if number is None else f"{number:.3g}"


def _one_or_two(before: str, after: str) -> str:
    """Write a form once if it is the same."""
    return before if before == after else f"{before}; in B {after}"


def _verdict(found: FileDifference) -> str:
    """Sum the comparison up in one line."""
    counts = (
        (len(found.removed), "only in A"),
        (len(found.added), "only in B"),
        (len(found.changed), "changed"),
        (len(found.renamed), "only renamed"),
    )
    nodes = ", ".join(f"{count:,} {what}" for count, what in counts if count > 0)
    said = f"{found.paired:,} nodes in both" + (f"; {nodes}" if nodes else "")
    if len(found.weights) > 0:
        said += f"; weights changed: {len(found.weights):,}"
    return f"{'Equal' if found.equal else 'Different'}: {said}"
