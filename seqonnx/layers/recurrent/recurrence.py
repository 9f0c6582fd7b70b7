"""A cell repeated over the steps of sequences, in the form that its arguments allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter, Trace, dtype_name, static_shape
from seqonnx.graph.signatures import spelling_of
from seqonnx.graph.tracing import TracedTensor, tracing
from seqonnx.layers.recurrent.cell import KernelCell
from seqonnx.layers.recurrent.masked import (
    as_lengths,
    gather_valid,
    last_is_valid,
    put_back,
    valid_steps,
)
from seqonnx.layers.recurrent.native import Native, emit_native
from seqonnx.layers.recurrent.stacked_rnn_cells import StackedRNNCells, as_list, output_size
from seqonnx.layers.recurrent.states import flatten, packed, zero_states, zeros
from seqonnx.layers.recurrent.stepwise import Step, StepsTaken, StepWalk, walk_steps
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


def repeat_cell(op: Emitter, cell: Any, given: Sequences, how: StepWalk) -> StepsTaken:
    """Emit the recurrence of one cell.

    Where ONNX has an operator for the cell, with these activations, and ONNX Runtime runs it,
    that is emitted; otherwise a Scan, or every step if `how` asks for that. Stacked cells are
    repeated one after the other.

    Args:
        op: emitter.
        cell: a layer whose `call` takes `states`, with a `state_size`.
        given: the sequences.
        how: order and results.
    """
    with op.scope(cell.name), op.drawing_from(cell._source):
        if isinstance(cell, StackedRNNCells):
            return _one_by_one(op, cell.cells, given, how)
        # ONNX Runtime has the operators in float32 only.
        single = dtype_name(given.x) == "float32"
        if single and isinstance(cell, KernelCell) and cell._is_native(given.training):
            return _natively(op, cell, given, how)
        return _step_by_step(op, cell, given, how)


def _one_by_one(op: Emitter, cells: Sequence[Any], given: Sequences, how: StepWalk) -> StepsTaken:
    """Each cell walks over all outputs of the one before."""
    initial = None if given.initial is None else list(given.initial)
    states: list[ir.Value] = []
    for cell in cells[:-1]:
        walked = repeat_cell(
            op, cell, _with_states(given, initial, cell), replace(how, keep=True, zero=False)
        )
        assert walked.outputs is not None
        states += walked.states
        given = replace(given, x=walked.outputs)
    last = repeat_cell(op, cells[-1], _with_states(given, initial, cells[-1]), how)
    return replace(last, states=[*states, *last.states])


def _with_states(given: Sequences, initial: list[ir.Value] | None, cell: Any) -> Sequences:
    """The sequences with the first states of one cell, which are taken from the list."""
    if initial is None:
        return given
    count = len(flatten(cell.state_size))
    own = initial[:count]
    del initial[:count]
    return replace(given, initial=own)


def _natively(op: Emitter, cell: KernelCell, given: Sequences, how: StepWalk) -> StepsTaken:
    native = cell._native(op)
    rate = cell.dropout if given.training else 0.0
    x = emit_dropout(op, given.x, rate, [None, 1, None])
    if given.mask is not None:
        return _masked_natively(op, native, x, given, how)
    steps = op.Transpose(x, perm=[1, 0, 2])
    outputs, last = emit_native(
        op, native, steps, given.initial, None, backwards=how.backwards, keep=how.keep
    )
    kept = op.Transpose(op.Squeeze(outputs, [1]), perm=[1, 0, 2]) if how.keep else None
    return StepsTaken(kept, last[0], last)


def _masked_natively(
    op: Emitter, native: Native, x: ir.Value, given: Sequences, how: StepWalk
) -> StepsTaken:
    """Valid steps first: the operator knows lengths only."""
    assert given.mask is not None
    valid = valid_steps(op, given.mask, backwards=how.backwards)
    steps = gather_valid(op, x, valid)
    lengths = as_lengths(op, valid)
    outputs, last = emit_native(
        op, native, steps, given.initial, lengths, backwards=False, keep=how.keep
    )
    states = last
    if given.initial is not None:
        some = op.Unsqueeze(op.Greater(valid.lengths, 0), [1])
        pairs = zip(last, given.initial, strict=True)
        states = [op.Where(some, new, old) for new, old in pairs]
    output = last[0]
    if how.zero:
        output = op.Where(last_is_valid(op, valid), output, 0.0)
    kept = put_back(op, outputs, valid, zero=how.zero) if how.keep else None
    return StepsTaken(kept, output, states)


def _step_by_step(op: Emitter, cell: Any, given: Sequences, how: StepWalk) -> StepsTaken:
    inner = isinstance(cell, KernelCell)
    x = cell._to_inner(op, given.x) if inner else given.x
    x = op.Transpose(x, perm=[1, 0, *range(2, len(static_shape(x)))])
    mask = None if given.mask is None else op.Transpose(given.mask, perm=[1, 0])
    part, step = _prepared(op, cell, x, given.training)
    initial = _initial_states(op, cell, given)
    before = None
    if mask is not None or not inner:
        shape = static_shape(initial[0])[1:] if inner else [output_size(cell)]
        before = zeros(op, given.x, shape, dtype_name(given.x))
    walked = walk_steps(op, step, part, initial, before, mask, how)
    return _to_outer(op, cell, walked) if inner else walked


def _to_outer(op: Emitter, cell: KernelCell, walked: StepsTaken) -> StepsTaken:
    """Outputs and states of a recurrence, in the layout that the cell shows."""
    return StepsTaken(
        None if walked.outputs is None else cell._to_outer(op, walked.outputs),
        cell._to_outer(op, walked.last),
        [cell._to_outer(op, state) for state in walked.states],
    )


def _prepared(op: Emitter, cell: Any, x: ir.Value, training: bool) -> tuple[ir.Value, Step]:
    """The part of a cell that is done for all steps at once, and its step."""
    if isinstance(cell, KernelCell):
        return cell._prepare(op, x, training)

    def step(body: Emitter, x: ir.Value, states: list[ir.Value]) -> tuple[ir.Value, list[ir.Value]]:
        nested = as_list(packed(cell.state_size, states))
        output, *new = flatten(cell._emit(body, x, training, states=nested))
        return output, new

    return x, step


def _initial_states(op: Emitter, cell: Any, given: Sequences) -> list[ir.Value]:
    """The states before the first step: those given, the cell's own, or zeros."""
    dtype = dtype_name(given.x)
    if isinstance(cell, KernelCell):
        if given.initial is not None:
            return [cell._to_inner(op, state) for state in given.initial]
        return zero_states(op, given.x, cell._state_shapes, dtype)
    if given.initial is not None:
        return list(given.initial)
    own = getattr(cell, "get_initial_state", None)
    if own is None:
        return zero_states(op, given.x, cell.state_size, dtype)
    batch = op.Squeeze(op.Shape(given.x, start=0, end=1), [0])
    trace = Trace(op, given.training)
    with tracing(trace):
        made = own(op, batch) if spelling_of(own).emits else own(batch_size=TracedTensor(batch))
        return [op.cast(state, dtype) for state in flatten(trace.values(made))]
