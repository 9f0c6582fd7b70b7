"""Masked sequences for operators that know lengths only.

The valid steps of each sequence are gathered to its front; what the operator gives for them is
then put where they were. At a masked step stands the output of the last valid one, or zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape

_INT32, _INT64 = ir.DataType.INT32, ir.DataType.INT64
_ZERO, _ONE = np.int64(0), np.int64(1)


@dataclass(frozen=True)
class Valid:
    """The valid steps of each sequence, in the order in which they are walked.

    Args:
        mask: true at valid steps, (batch, time), in that order.
        done: number of valid steps up to each step, itself included, (batch, time).
        lengths: number of valid steps, (batch,).
        backwards: whether the order is from the last step to the first.
    """

    mask: ir.Value
    done: ir.Value
    lengths: ir.Value
    backwards: bool


def valid_steps(op: Emitter, mask: ir.Value, *, backwards: bool) -> Valid:
    """Count the valid steps of a mask of shape (batch, time)."""
    if backwards:
        mask = flipped(op, mask, 1)
    steps = op.Cast(mask, to=_INT64)
    lengths = op.ReduceSum(steps, [1], keepdims=0)
    return Valid(mask, op.CumSum(steps, np.int64(1)), lengths, backwards)


def gather_valid(op: Emitter, x: ir.Value, valid: Valid) -> ir.Value:
    """Return the valid steps at the front, (time, batch, features), of (batch, time, features)."""
    batch, time, features = static_shape(x)
    counts = op.Range(_ZERO, _size(op, x, 1), _ONE)
    masked = op.Sub(op.Add(counts, 1), valid.done)  # number of masked steps so far
    after = op.Add(op.Unsqueeze(valid.lengths, [1]), op.Sub(masked, 1))
    place = op.Where(valid.mask, op.Sub(valid.done, 1), after)
    steps = op.Sub(op.Sub(_size(op, x, 1), 1), counts) if valid.backwards else counts
    steps = op.Expand(steps, op.Shape(valid.mask))
    order = op.ScatterElements(op.Mul(valid.done, 0), place, steps, axis=1)
    first = op.Mul(op.Range(_ZERO, _size(op, x, 0), _ONE), _size(op, x, 1))
    rows = op.Transpose(op.Add(order, op.Unsqueeze(first, [1])), perm=[1, 0])
    gathered = op.Gather(op.Reshape(x, [-1, features]), rows, axis=0)
    gathered.shape = ir.Shape([time, batch, features])
    return gathered


def put_back(op: Emitter, outputs: ir.Value, valid: Valid, *, zero: bool) -> ir.Value:
    """Return the outputs in the order of time, (batch, time, units).

    Args:
        op: emitter.
        outputs: those of the valid steps at the front, (time, 1, batch, units).
        valid: the valid steps.
        zero: whether zeros stand at masked steps.
    """
    mask, done = valid.mask, valid.done
    if valid.backwards:
        mask, done = flipped(op, mask, 1), flipped(op, done, 1)
    units = static_shape(outputs)[-1]
    batch = _size(op, mask, 0)
    rows = op.Mul(op.Max(op.Sub(done, 1), 0), batch)
    rows = op.Add(rows, op.Unsqueeze(op.Range(_ZERO, batch, _ONE), [1]))
    found = op.Gather(op.Reshape(outputs, [-1, units]), rows, axis=0)
    shown = mask if zero else op.Greater(done, 0)
    placed = op.Where(op.Unsqueeze(shown, [2]), found, 0.0)
    placed.shape = ir.Shape([*static_shape(mask), units])
    return placed


def flipped(op: Emitter, x: ir.Value, axis: int) -> ir.Value:
    """Return a value with one axis in the opposite order."""
    made = op.Slice(x, [-1], [-(2**63) + 1], [axis], [-1])
    made.shape = x.shape
    return made


def last_is_valid(op: Emitter, valid: Valid) -> ir.Value:
    """Return whether the last step of the walk is valid, (batch, 1)."""
    return op.Slice(valid.mask, [-1], [2**63 - 1], [1])


def as_lengths(op: Emitter, valid: Valid) -> ir.Value:
    """Return the lengths as the operators take them."""
    return op.Cast(valid.lengths, to=_INT32)


def _size(op: Emitter, x: ir.Value, axis: int) -> ir.Value:
    return op.Squeeze(op.Shape(x, start=axis, end=axis + 1), [0])
