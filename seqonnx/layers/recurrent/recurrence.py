"""A cell repeated over the steps of sequences, in the form that its arguments allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.layers.recurrent.cell import KernelCell
from seqonnx.layers.recurrent.masked import (
    as_lengths,
    gather_valid,
    last_is_valid,
    put_back,
    valid_steps,
)
from seqonnx.layers.recurrent.native import Native, emit_native
from seqonnx.layers.recurrent.states import flatten, packed, zero_states, zeros
from seqonnx.layers.recurrent.stepwise import Step, Walk, Walked, walk_steps
from seqonnx.layers.regularization.dropout import emit_dropout


@dataclass(frozen=True)
class Sequences:
    """Sequences and what is asked of them.

    Args:
        x: input, (batch, time, …).
        mask: true at valid steps, (batch, time), or None.
        initial: first states of all cells, flat; None for those of the cell.
        training: whether dropout drops.
    """

    x: ir.Value
    mask: ir.Value | None
    initial: Sequence[ir.Value] | None
    training: bool


def repeat_cell(op: Emitter, cell: Any, given: Sequences, how: Walk) -> Walked:
    """Emit the recurrence of one cell.

    Where ONNX has an operator for the cell, with these activations, and ONNX Runtime runs it,
    that is emitted; otherwise a Scan, or every step if `how` asks for that.

    Args:
        op: emitter.
        cell: a layer whose `call` takes `states`, with a `state_size`.
        given: the sequences.
        how: order and results.
    """
    with op.scope(cell.name):
        # ONNX Runtime has the operators in float32 only.
        single = dtype_name(given.x) == "float32"
        if single and isinstance(cell, KernelCell) and cell._is_native(given.training):
            return _natively(op, cell, given, how)
        return _step_by_step(op, cell, given, how)


def _natively(op: Emitter, cell: KernelCell, given: Sequences, how: Walk) -> Walked:
    native = cell._native(op)
    rate = cell.dropout if given.training else 0.0
    x = emit_dropout(op, given.x, rate, [None, 1, None])
    if given.mask is not None:
        return _masked_natively(op, native, x, given, how)
    steps = op.Transpose(x, perm=[1, 0, 2])
    outputs, last = emit_native(op, native, steps, given.initial, None, backwards=how.backwards)
    kept = op.Transpose(op.Squeeze(outputs, [1]), perm=[1, 0, 2]) if how.keep else None
    return Walked(kept, last[0], last)


def _masked_natively(
    op: Emitter, native: Native, x: ir.Value, given: Sequences, how: Walk
) -> Walked:
    """Valid steps first: the operator knows lengths only."""
    assert given.mask is not None
    valid = valid_steps(op, given.mask, backwards=how.backwards)
    steps = gather_valid(op, x, valid)
    lengths = as_lengths(op, valid)
    outputs, last = emit_native(op, native, steps, given.initial, lengths, backwards=False)
    states = last
    if given.initial is not None:
        some = op.Unsqueeze(op.Greater(valid.lengths, 0), [1])
        pairs = zip(last, given.initial, strict=True)
        states = [op.Where(some, new, old) for new, old in pairs]
    output = last[0]
    if how.zero:
        output = op.Where(last_is_valid(op, valid), output, 0.0)
    kept = put_back(op, outputs, valid, zero=how.zero) if how.keep else None
    return Walked(kept, output, states)


def _step_by_step(op: Emitter, cell: Any, given: Sequences, how: Walk) -> Walked:
    x = op.Transpose(given.x, perm=[1, 0, *range(2, len(static_shape(given.x)))])
    mask = None if given.mask is None else op.Transpose(given.mask, perm=[1, 0])
    part, step = prepare(op, cell, x, given.training)
    if given.initial is not None:
        initial = list(given.initial)
    else:
        initial = zero_states(op, given.x, cell.state_size, dtype_name(given.x))
    before = None
    if mask is not None or not isinstance(cell, KernelCell):
        before = zeros(op, given.x, output_shape(cell), dtype_name(given.x))
    return walk_steps(op, step, part, initial, before, mask, how)


def prepare(op: Emitter, cell: Any, x: ir.Value, training: bool) -> tuple[ir.Value, Step]:
    """Emit what a cell does to the inputs of all steps, and return its step."""
    if isinstance(cell, KernelCell):
        return cell._prepare(op, x, training)

    def step(body: Emitter, x: ir.Value, states: list[ir.Value]) -> tuple[ir.Value, list[ir.Value]]:
        return call_cell(body, cell, x, states, training)

    return x, step


def call_cell(
    op: Emitter, cell: Any, x: ir.Value, states: Sequence[ir.Value], training: bool
) -> tuple[ir.Value, list[ir.Value]]:
    """Emit one step of a cell by its `call`; returns its output and the new states, flat."""
    nested = packed(cell.state_size, states)
    made = cell._emit(op, x, training, states=nested if isinstance(nested, list) else [nested])
    output, *new = flatten(made)
    return output, new


def output_shape(cell: Any) -> list[int]:
    """Return the shape of a cell's output without the batch."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = flatten(cell.state_size)[0]
    return list(size) if isinstance(size, tuple) else [size]
