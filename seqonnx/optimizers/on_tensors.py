"""Optimizers in Keras's spelling: `update_step(gradient, variable, learning_rate)` on tensors.

A user's class makes its variables in `build` and assigns new values in `update_step`. Here that is
called once in a trace, so that what it assigns becomes part of the step graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, Trace, TracedTensor, Variable
from seqonnx.graph.tracing import tracing
from seqonnx.optimizers.in_step import Changed, StepWork, numbers_of
from seqonnx.optimizers.slots import used_slots


def emit_on_tensors(optimizer: Any, op: Emitter, work: StepWork) -> Changed:
    """Emit one update by the class's own `update_step`: clipping and weight decay come before.

    Args:
        optimizer: the optimizer.
        op: emitter of the graph.
        work: what it works on.

    Returns:
        The new value of each variable that the update assigns.
    """
    lr, weights = work.rates[0], list(work.grads)
    grads = optimizer._clip(op, list(work.grads.values()))
    own = [v for weight in weights for v in used_slots(work.slots[weight]).values()]
    before: Changed = {variable: op.read(variable) for variable in [*own, *optimizer._extra]}
    before |= {weight: work.values[weight] for weight in weights}
    now = dict(before)
    if optimizer.weight_decay is not None:
        for weight in weights:
            if optimizer._decays(weight.path):
                part = op.cast(op.Mul(lr, float(optimizer.weight_decay)), weight.dtype)
                now[weight] = op.Sub(now[weight], op.Mul(now[weight], part))
    trace = Trace(op, training=True, read_as=now)
    with tracing(trace), numbers_of(optimizer, work.rates, work.step, work.slots):
        for weight, grad in zip(weights, grads, strict=True):
            shown = TracedTensor(in_keras_layout(op, grad, weight))
            optimizer.update_step(shown, weight, TracedTensor(lr))
    changed: Changed = {}
    for variable in [*weights, *own, *optimizer._extra]:
        if now[variable] is not before[variable]:
            changed[variable] = now[variable]
    return changed


def emit_by_update(
    optimizer: Any,
    trace: Trace,
    gradient: TracedTensor,
    variable: Variable,
    rate: TracedTensor,
    slots: Mapping[str, Variable],
    step: ir.Value,
) -> None:
    """Do in a trace what `update` emits for one variable: a user's `update_step` calls on."""
    op = trace.op
    keys = used_slots(slots)

    def stored(of: Variable) -> ir.Value:
        return trace.assigned.get(of, op.updates.get(of, op.read(of)))

    lr = trace.value(rate)
    _, changed = params, _ = optimizer._emit(
        op,
        [stored(variable)],
        [in_onnx_layout(op, trace.value(gradient), variable)],
        [{key: stored(slot) for key, slot in keys.items()}],
        lr,
        step,
        [variable.path],
        [variable._layout],
        bare=True,
    )
    news = {variable: params[0]} | {keys[key]: value for key, value in changed[0].items()}
    for each, value in news.items():
        if each in trace.assigned:
            trace.assigned[each] = value
        else:
            op.update(each, value)


def in_keras_layout(op: Emitter, value: ir.Value, variable: Variable) -> ir.Value:
    """A value that is stored as a variable is, in the Keras layout."""
    if variable._layout is None:
        return value
    shown: ir.Value = op.Transpose(value, perm=[int(axis) for axis in np.argsort(variable._layout)])
    return shown


def in_onnx_layout(op: Emitter, value: ir.Value, variable: Variable) -> ir.Value:
    """A value in the Keras layout, as a variable stores it."""
    if variable._layout is None:
        return value
    stored: ir.Value = op.Transpose(value, perm=list(variable._layout))
    return stored
