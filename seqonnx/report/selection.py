"""Choice of the rows that are shown, and of those that stand together.

Numbers are never lost by it but where `top` is asked for: a constant's belong to the node that
reads it, and a scope has the sums of its nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from seqonnx.report.grouping import sum_rows
from seqonnx.report.records import ModelReport, Row

Measure = Literal["macs", "params", "bytes"]

_MEASURES: Final[dict[Measure, Callable[[Row], int]]] = {
    "macs": lambda row: row.macs_at or 0,
    "params": lambda row: row.params,
    "bytes": lambda row: row.weight_bytes,
}


@dataclass(frozen=True)
class RowSelection:
    """A choice of what is shown of a report.

    Args:
        constants: whether `Constant` nodes have rows.
        depth: parts of a name by which rows are put together: of `/layers.0/attn/MatMul` the first
            is `layers.0`. None for a row per node or layer.
        top: how many rows are shown, the largest first; None for all, in the order of the file.
        by: what the largest have most of.
    """

    constants: bool = False
    depth: int | None = None
    top: int | None = None
    by: Measure = "macs"

    def of(self, report: ModelReport) -> ModelReport:
        """Return the report with the rows that are shown, and a note on those that are not."""
        rows, notes = report.rows, list(report.notes)
        if not self.constants:
            rows = _without_constants(rows)
            hidden = _count(report.rows) - _count(rows)
            if hidden > 0:
                notes.append(f"{hidden:,} Constant nodes have no rows; --all shows them.")
        if self.depth is not None:
            rows = _by_scope(rows, self.depth)
        if self.top is not None and self.top < len(rows):
            notes.append(f"The {self.top:,} of {len(rows):,} rows with the most {self.by}.")
            rows = tuple(sorted(rows, key=_MEASURES[self.by], reverse=True)[: self.top])
        return replace(report, rows=rows, notes=tuple(notes))


def _without_constants(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows but for `Constant` nodes, which hold no numbers of their own."""
    kept = (row for row in rows if row.op_type != "Constant")
    return tuple(replace(row, body=_without_constants(row.body)) for row in kept)


def _count(rows: Sequence[Row]) -> int:
    """Count rows, those of bodies included."""
    return sum(1 + _count(row.body) for row in rows)


def _by_scope(rows: Sequence[Row], depth: int) -> tuple[Row, ...]:
    """Return a row for those whose names begin alike, where the first of them stands."""
    scopes: dict[str, list[Row]] = {}
    for row in rows:
        parts = row.name.strip("/").split("/")
        scopes.setdefault("/".join(parts[:depth]), []).append(row)
    return tuple(
        members[0] if len(members) == 1 else _sum(scope, members)
        for scope, members in scopes.items()
    )


def _sum(scope: str, rows: Sequence[Row]) -> Row:
    """Return the row of a scope: sums, and the output of its last node."""
    macs, macs_at, complete = sum_rows(rows)
    trainable = {row.trainable for row in rows}
    providers = dict.fromkeys(row.provider for row in rows if row.provider is not None)
    return Row(
        name=scope,
        op_type=f"{len(rows):,} rows",
        layer=None,
        output_shape=rows[-1].output_shape,
        dtype=rows[-1].dtype,
        params=sum(row.params for row in rows),
        weight_bytes=sum(row.weight_bytes for row in rows),
        macs=macs,
        macs_at=macs_at,
        complete=complete,
        members=tuple(name for row in rows for name in row.members),
        trainable=trainable.pop() if len(trainable) == 1 else None,
        provider=", ".join(providers) or None,
    )
