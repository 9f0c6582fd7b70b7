"""Histograms: how often each value stands in rows of integers."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, ir_dtype


def count(op: Emitter, rows: ir.Value, bins: int, dtype: str) -> ir.Value:
    """Emit how often each of 0, 1, ..., bins - 1 stands in each row.

    Args:
        op: emitter.
        rows: int64, (rows, values), from 0 to bins - 1.
        bins: number of values that there may be.
        dtype: dtype of the counts; float32 counts to 2^24.

    Returns:
        (rows, bins).
    """
    shape = op.Concat(op.Shape(rows, end=1), np.array([bins], np.int64), axis=0)
    zero, one = (np.array(number, ir_dtype(dtype).numpy()) for number in (0, 1))
    ones = op.Expand(op.constant(one, "one"), op.Shape(rows))
    return op.ScatterElements(
        op.Expand(op.constant(zero, "zero"), shape), rows, ones, axis=1, reduction="add"
    )


def to_bins(op: Emitter, values: ir.Value, bins: int) -> ir.Value:
    """Emit numbers without their fractions, from 0 to bins - 1, as int64."""
    return op.Cast(op.Clip(values, 0.0, bins - 1.0), to=ir.DataType.INT64)


def pick(op: Emitter, tables: ir.Value, places: ir.Value) -> ir.Value:
    """Emit entries of tables.

    Args:
        op: emitter.
        tables: (tables, entries).
        places: numbers of entries, (tables, places).

    Returns:
        (tables, places).
    """
    return op.GatherND(tables, op.Unsqueeze(places, [-1]), batch_dims=1)
