"""Recurrence one step at a time: a Scan, or the steps written out one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.scan_body import ScanBody

Step = Callable[[Emitter, ir.Value, list[ir.Value]], tuple[ir.Value, list[ir.Value]]]
"""From the input and the states of a step to its output and the new states."""


@dataclass(frozen=True)
class StepWalk:
    """How the steps follow each other.

    Args:
        backwards: whether the walk starts at the last step.
        unroll: whether the steps are written out.
        keep: whether the outputs of all steps are wanted.
        zero: whether the output of a masked step is zeros, not the output before it.
    """

    backwards: bool
    unroll: bool
    keep: bool
    zero: bool


@dataclass(frozen=True)
class StepsTaken:
    """Outputs and states of a recurrence.

    Args:
        outputs: of all steps in the order of time, (batch, time, …); None where not wanted.
        last: the output of the last step of the walk, (batch, …).
        states: the last states.
    """

    outputs: ir.Value | None
    last: ir.Value
    states: list[ir.Value]


def walk_steps(
    op: Emitter,
    step: Step,
    x: ir.Value,
    states: Sequence[ir.Value],
    before: ir.Value | None,
    mask: ir.Value | None,
    how: StepWalk,
) -> StepsTaken:
    """Emit the recurrence.

    Args:
        op: emitter.
        step: emits one step.
        x: input, (time, batch, …).
        states: first states.
        before: zeros in the form of an output, which stand where no valid step has been; None:
            the first state is the output, and no mask tells them apart.
        mask: true at valid steps, (time, batch), or None.
        how: order and results.
    """
    masked = _Masked(step, how.zero, before is not None)
    carried = list(states) if before is None else [before, *states]
    walk = _written_out if how.unroll else _scanned
    outputs, last = walk(op, masked, x, carried, mask, how)
    if outputs is not None:
        outputs = op.Transpose(outputs, perm=[1, 0, *range(2, len(static_shape(outputs)))])
    return StepsTaken(outputs, last[0], last if before is None else last[1:])


@dataclass(frozen=True)
class _Masked:
    """A step that carries states, and its output where that is not the first of them."""

    step: Step
    zero: bool
    carries_output: bool

    def __call__(
        self, op: Emitter, x: ir.Value, carried: list[ir.Value], valid: ir.Value | None
    ) -> list[ir.Value]:
        old = carried[1:] if self.carries_output else carried
        output, new = self.step(op, x, old)
        made = [output, *new] if self.carries_output else new
        if valid is None:
            return made
        kept = [_where(op, valid, a, b) for a, b in zip(made, carried, strict=True)]
        if self.carries_output and self.zero:
            kept[0] = _where(op, valid, output, None)
        return kept


def _where(op: Emitter, valid: ir.Value, new: ir.Value, old: ir.Value | None) -> ir.Value:
    """The new value of the sequences whose step is valid; of the others the old one, or zeros."""
    axes = list(range(1, len(static_shape(new))))
    return op.Where(op.Unsqueeze(valid, axes), new, 0.0 if old is None else old)


def _scanned(
    op: Emitter,
    step: _Masked,
    x: ir.Value,
    carried: Sequence[ir.Value],
    mask: ir.Value | None,
    how: StepWalk,
) -> tuple[ir.Value | None, list[ir.Value]]:
    """Outputs, (time, batch, …), and what is carried in the end, by a Scan."""
    scan = ScanBody(op, "steps", backwards=how.backwards)
    states = [scan.state(value) for value in carried]
    element = scan.element(x)
    valid = None if mask is None else scan.element(mask)
    new = step(scan.body, element, states, valid)
    last, stacked = scan.run(new, new[:1] if how.keep else [])
    return (stacked[0] if how.keep else None), last


def _written_out(
    op: Emitter,
    step: _Masked,
    x: ir.Value,
    carried: Sequence[ir.Value],
    mask: ir.Value | None,
    how: StepWalk,
) -> tuple[ir.Value | None, list[ir.Value]]:
    """The same, with every step as nodes of its own."""
    count = static_shape(x)[0]
    assert isinstance(count, int)
    xs = _parts(op, x, count)
    valid = [None] * count if mask is None else _parts(op, mask, count)
    outputs: dict[int, ir.Value] = {}
    states = list(carried)
    for t in reversed(range(count)) if how.backwards else range(count):
        states = step(op, xs[t], states, valid[t])
        outputs[t] = op.Unsqueeze(states[0], [0]) if how.keep else states[0]
    stacked = op.Concat(*(outputs[t] for t in range(count)), axis=0) if how.keep else None
    return stacked, states


def _parts(op: Emitter, x: ir.Value, count: int) -> list[ir.Value]:
    """The steps of a sequence."""
    if count == 1:
        return [op.Squeeze(x, [0])]
    return [
        op.Squeeze(part, [0]) for part in op.Split(x, num_outputs=count, axis=0, _outputs=count)
    ]
