"""Moving averages of the gradient and of its square, and the powers that correct them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter


def average(op: Emitter, old: ir.Value, new: ir.Value, keep: float) -> ir.Value:
    """Emit keep old + (1 - keep) new.

    Two multiplications by a number and one sum read less memory than old + (new - old) (1 - keep).
    """
    return op.Add(op.Mul(old, keep), op.Mul(new, 1.0 - keep))


def average_square(op: Emitter, old: ir.Value, new: ir.Value, keep: float) -> ir.Value:
    """Emit keep old + (1 - keep) new^2."""
    return average(op, old, op.Mul(new, new), keep)


def power(op: Emitter, base: float, step: ir.Value) -> ir.Value:
    """Emit base^step in the element type of the step."""
    dtype = np.float32 if step.dtype is None else step.dtype.numpy()
    return op.Pow(np.asarray(base, dtype), step)
