"""Rows of a table that a batch has met, and the sum of the slices that were added to each.

A form, not a pass: optimizers ask for it while they are emitted, and nothing that stands in the
graph already is changed. A gradient that nobody reads afterwards is left to the pass `unused`.

The sums are made among the slices alone, never in a table. Each slice gets the total of its row:
a row that was met twice has the same total twice, and whoever writes rows writes the same numbers
to it twice, in whatever order threads do that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.reading import known_sizes
from seqonnx.graph.row_sums import row_sums

_KEY: Final = "seqonnx.row_totals"
_RARE: Final = 2
"""Rows of a table for each slice from which on it pays to visit only the rows that were met."""


@dataclass(frozen=True)
class RowTotals:
    """Rows that were met.

    Args:
        rows: their numbers, (slices,), as often as they were met.
        totals: what was added to each, (slices, ...).
    """

    rows: ir.Value
    totals: ir.Value

    def of(self, op: Emitter, table: ir.Value) -> ir.Value:
        """Emit these rows of a table."""
        picked: ir.Value = op.Gather(table, self.rows, axis=0)
        return picked

    def put(self, op: Emitter, table: ir.Value, rows: ir.Value) -> ir.Value:
        """Emit a table with other rows in the place of these; equal rows must have equal values."""
        written: ir.Value = op.ScatterND(table, op.Unsqueeze(self.rows, [-1]), rows)
        return written


def rare_rows(op: Emitter, grad: ir.Value) -> RowTotals | None:
    """Emit the rows that a gradient moves; None unless they are few of its rows.

    Args:
        op: emitter of the graph.
        grad: gradient of a table.
    """
    counts = [known_sizes(note.indices) for note in row_sums(grad)]
    rows = (*static_shape(grad), None)[0]
    if not counts or not isinstance(rows, int) or any(sizes is None for sizes in counts):
        return None
    slices = sum(math.prod(sizes) for sizes in counts if sizes is not None)
    return row_totals(op, grad) if rows >= _RARE * slices else None


def row_totals(op: Emitter, grad: ir.Value) -> RowTotals | None:
    """Emit the rows that a gradient moves, once; None where it is no sum of slices.

    Args:
        op: emitter of the graph.
        grad: gradient of a table.
    """
    notes = row_sums(grad)
    if len(notes) == 0:
        return None
    made = grad.meta.get(_KEY)
    if made is None:
        count, *row = known_sizes(grad) or ()
        all_rows = [op.Reshape(_int64(op, note.indices), [-1]) for note in notes]
        all_slices = [op.Reshape(note.slices, [-1, math.prod(row)]) for note in notes]
        rows = all_rows[0] if len(notes) == 1 else op.Concat(*all_rows, axis=0)
        slices = all_slices[0] if len(notes) == 1 else op.Concat(*all_slices, axis=0)
        rows = op.Mod(rows, np.int64(count))
        totals = op.Reshape(_totals(op, rows, slices, count, math.prod(row)), [-1, *row])
        made = grad.meta[_KEY] = RowTotals(rows, totals)
    return made


def _totals(op: Emitter, rows: ir.Value, slices: ir.Value, count: int, width: int) -> ir.Value:
    """For each slice the sum of all slices of its row, (slices, width)."""
    number = op.Squeeze(op.Shape(rows), [0])
    numbers = op.Range(np.int64(0), number, np.int64(1))
    zero = ir.tensor(np.zeros(1, np.int64))
    # The last slice of a row stands for it.
    last = op.ScatterElements(
        op.ConstantOfShape([count], value=zero), rows, numbers, axis=0, reduction="max"
    )
    place = op.Gather(last, rows, axis=0)
    first = op.Mul(op.Unsqueeze(place, [-1]), np.int64(width))
    # One axis, and one thread: see `autodiff.idioms.placing`.
    places = op.Reshape(op.Add(first, np.arange(width)), [-1])
    nothing = op.ConstantOfShape(
        op.Mul(op.Shape(rows), np.int64(width)), value=ir.tensor([0.0], dtype=slices.dtype)
    )
    flat = op.Reshape(slices, [-1])
    sums = op.ScatterElements(nothing, places, flat, axis=0, reduction="add")
    total: ir.Value = op.Gather(op.Reshape(sums, [-1, width]), place, axis=0)
    return total


def _int64(op: Emitter, indices: ir.Value) -> ir.Value:
    if indices.dtype == ir.DataType.INT64:
        return indices
    cast: ir.Value = op.Cast(indices, to=ir.DataType.INT64)
    return cast
