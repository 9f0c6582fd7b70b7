"""A step in a graph: gradients in, the new values of weights and slots out.

The parts that all optimizers share, in Keras's order: the scale of the loss is taken back,
gradients are gathered, weights are updated, averaged and perhaps replaced by their average.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

import onnx_ir as ir

from seqonnx.graph import Emitter, Variable
from seqonnx.optimizers.slots import ACCUMULATOR, AVERAGE, SlotVariables

Changed = dict[Variable, ir.Value]


class StepWork(NamedTuple):
    """The values that one step of an optimizer works on, all in the ONNX layout.

    Args:
        values: the value of each trained weight before the step.
        grads: gradients of those weights that have one.
        slots: the slots of each weight.
        rates: learning rate of each optimizer that has one of its own, float scalars.
        step: number of this step, 1 for the first; float scalar.
    """

    values: Mapping[Variable, ir.Value]
    grads: Mapping[Variable, ir.Value]
    slots: SlotVariables
    rates: Sequence[ir.Value]
    step: ir.Value


class Numbers(NamedTuple):
    """The numbers of a step, for an optimizer that is asked for them while it emits."""

    optimizer: Any
    rates: Sequence[ir.Value]
    step: ir.Value
    slots: SlotVariables


NUMBERS: Final[ContextVar[Numbers | None]] = ContextVar("NUMBERS", default=None)


@contextmanager
def numbers_of(
    optimizer: Any,
    rates: Sequence[ir.Value],
    step: ir.Value,
    slots: SlotVariables,
) -> Iterator[None]:
    """Give an optimizer its learning rates, the number of the step and its slots inside.

    Args:
        optimizer: the optimizer.
        rates: see `StepWork`.
        step: see `StepWork`.
        slots: see `StepWork`.
    """
    token = NUMBERS.set(Numbers(optimizer, rates, step, slots))
    try:
        yield
    finally:
        NUMBERS.reset(token)


def emit_step(optimizer: Any, op: Emitter, work: StepWork) -> Changed:
    """Emit a step of an optimizer, without constraints.

    Args:
        optimizer: the optimizer.
        op: emitter of the graph.
        work: what it works on.

    Returns:
        The new value of each variable that the step changes.
    """
    factor = optimizer.loss_scale_factor
    if factor is not None:
        unscaled = {weight: op.Div(grad, float(factor)) for weight, grad in work.grads.items()}
        work = work._replace(grads=unscaled)
    every = optimizer.gradient_accumulation_steps
    updates = work.step
    if every and len(work.grads) > 0:
        changed = _emit_gathered(optimizer, op, work, every)
    else:
        changed = dict(optimizer._emit_update(op, work))
    if every:
        updates = _updates_at(op, work.step, every)
    if optimizer.use_ema:
        changed |= _emit_averages(optimizer, op, work, changed, updates)
    return changed


def _emit_gathered(optimizer: Any, op: Emitter, work: StepWork, every: int) -> Changed:
    """Emit an update with the mean of the last gradients, which counts in every n-th step."""
    sums = {w: work.slots[w][ACCUMULATOR] for w in work.grads}
    totals = {w: op.Add(grad, op.read(sums[w])) for w, grad in work.grads.items()}
    means = {w: op.Div(total, float(every)) for w, total in totals.items()}
    due = op.Equal(op.Mod(work.step, float(every), fmod=1), 0.0)
    updates = _updates_at(op, work.step, every)
    changed = optimizer._emit_update(op, work._replace(grads=means, step=updates))
    kept = {
        variable: op.Where(due, value, work.values.get(variable, op.read(variable)))
        for variable, value in changed.items()
    }
    return kept | {sums[w]: op.Where(due, 0.0, total) for w, total in totals.items()}


def _updates_at(op: Emitter, step: ir.Value, every: int) -> ir.Value:
    """The number of the update that a step belongs to, 1 for the first."""
    updates: ir.Value = op.Ceil(op.Div(step, float(every)))
    return updates


def _emit_averages(
    optimizer: Any, op: Emitter, work: StepWork, changed: Changed, updates: ir.Value
) -> Changed:
    """Emit the moving average of each weight, which starts with the weight after an update."""
    # Until the second update all that counts is the weight of the moment.
    momentum = op.Where(op.Equal(updates, 1.0), 0.0, float(optimizer.ema_momentum))
    frequency = optimizer.ema_overwrite_frequency
    due = None
    if frequency:
        due = op.Equal(op.Mod(updates, float(frequency), fmod=1), 0.0)
    result: Changed = {}
    for weight, before in work.values.items():
        value = changed.get(weight, before)
        kept = op.cast(momentum, weight.dtype)
        slot = work.slots[weight][AVERAGE]
        old = op.Mul(op.read(slot), kept)
        average = op.Add(old, op.Mul(value, op.Sub(1.0, kept)))
        result[slot] = average
        if due is not None:
            result[weight] = op.Where(due, average, value)
    return result
