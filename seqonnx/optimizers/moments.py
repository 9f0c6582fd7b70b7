"""Moving averages of the gradient and of its square, and the powers that correct them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.lowering.row_totals import rare_rows


def average(op: Emitter, old: ir.Value, new: ir.Value, keep: float) -> ir.Value:
    """Emit keep old + (1 - keep) new.

    Two multiplications by a number and one sum read less memory than old + (new - old) (1 - keep).
    Where `new` is the gradient of a table of which few rows were met, only they get more than the
    first of them, and the gradient is never stored.
    """
    return _average(op, old, new, keep, lambda values: values)


def average_square(op: Emitter, old: ir.Value, new: ir.Value, keep: float) -> ir.Value:
    """Emit keep old + (1 - keep) new^2."""
    return _average(op, old, new, keep, lambda values: op.Mul(values, values))


def _average(
    op: Emitter,
    old: ir.Value,
    new: ir.Value,
    keep: float,
    power_of: Callable[[ir.Value], ir.Value],
) -> ir.Value:
    """Emit keep old + (1 - keep) times a power of `new`, which is 0 where `new` is."""
    kept = op.Mul(old, keep)
    met = rare_rows(op, new)
    if met is None:
        return op.Add(kept, op.Mul(power_of(new), 1.0 - keep))
    added = op.Mul(power_of(met.totals), 1.0 - keep)
    return met.put(op, kept, op.Add(met.of(op, kept), added))


def power(op: Emitter, base: float, step: ir.Value) -> ir.Value:
    """Emit base^step in the dtype of the step."""
    dtype = np.float32 if step.dtype is None else step.dtype.numpy()
    return op.Pow(np.asarray(base, dtype), step)
