"""Gradients of RNN, GRU and LSTM: two Scans per direction, and large products around them.

The first Scan computes the states again and keeps those at the start of each step. The second
goes backwards in time; its step is the gradient of one step of the cell. It hands out the
gradients of what enters the gates, from which those of inputs and weights follow for all times at
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.engine import backward
from seqonnx.autodiff.idioms.definition import copies_of, gradients_of
from seqonnx.autodiff.idioms.recurrent_cells import Cell, Weights, activations_of
from seqonnx.autodiff.idioms.sizes import scalar, shaped, size_at
from seqonnx.autodiff.lowering.recurrent_factors import RecurrentWalk, gates, has_factors, walk
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.errors import GradientError
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.reading import constant_ints, input_at
from seqonnx.graph.scan_body import ScanBody
from seqonnx.graph.states_again import StatesAgain, note_states

_ACTIVATIONS = {
    "RNN": ["Tanh"],
    "GRU": ["Sigmoid", "Tanh"],
    "LSTM": ["Sigmoid", "Tanh", "Tanh"],
}
_INITIAL = 5
"""Index of the input with the first hidden state; that of the cell state follows."""


@dataclass
class _Direction:
    """One direction of a node, and where its gradients start from."""

    cell: Cell
    weights: Weights
    backwards: bool
    initial: list[ir.Value]
    dy: ir.Value | None
    dlast: list[ir.Value]


@gradient("", "RNN", "GRU", "LSTM")
def recurrent(op: RuleEmitter, node: ir.Node, *grads: ir.Value | None) -> Gradients:
    """Backpropagation through time."""
    by_batch = node.attributes.get_int("layout", 0) == 1
    copies = copies_of(op, node)
    targets: list[tuple[ir.Value, ir.Value]] = []
    first: list[list[ir.Value]] = []
    x = _by_time(op, given(node, 0), by_batch=by_batch)
    x_copy = _by_time(op, _given(copies, 0), by_batch=by_batch)
    mask = _mask(op, x, input_at(node, 4))
    last = [_of_started(op, node, grad, by_batch=by_batch) for grad in grads[1:]]
    again: list[StatesAgain] = []
    for d, it in enumerate(_directions(op, node, x, [grads[0], *last], by_batch=by_batch)):
        copied = _weights(op, copies, d)
        if has_factors(node):
            found, dinitial = _by_factors(op, it, x, mask, x_copy, copied, again)
        else:
            found, dinitial = _through_time(op, it, x, mask, x_copy, copied)
        targets += found
        first.append(dinitial)
    if len(again) > 0 and mask is None and not by_batch:
        note_states(node, again)
    results = gradients_of(op, node, targets, copies)
    for i in range(len(first[0])):
        if op.needs(_INITIAL + i):
            results[_INITIAL + i] = _joined(op, [states[i] for states in first], by_batch=by_batch)
    return results


def _by_time(op: RuleEmitter, x: ir.Value, *, by_batch: bool) -> ir.Value:
    """The time as the first axis."""
    return op.Transpose(x, perm=[1, 0, 2]) if by_batch else x


def _given(values: Sequence[ir.Value | None], index: int) -> ir.Value:
    value = values[index]
    if value is None:
        raise GradientError(f"A recurrent node lacks its input {index}.")
    return value


def _optional(values: Sequence[ir.Value | None], index: int) -> ir.Value | None:
    return values[index] if index < len(values) else None


def _mask(op: RuleEmitter, x: ir.Value, lengths: ir.Value | None) -> ir.Value | None:
    """True, (time, batch, 1), where a sequence goes on."""
    if lengths is None:
        return None
    times = op.Range(np.int64(0), scalar(op, size_at(op, x, 0)), np.int64(1))
    ends = op.Unsqueeze(op.Cast(lengths, to=ir.DataType.INT64), [0, 2])
    going = op.Less(op.Unsqueeze(times, [1, 2]), ends)
    return shaped(going, [*static_shape(x)[:2], 1])


def _of_started(
    op: RuleEmitter, node: ir.Node, grad: ir.Value | None, *, by_batch: bool
) -> ir.Value | None:
    """The gradient of a last state: of a sequence without elements that is 0, not the first state.

    So ONNX Runtime has it; the standard says nothing of it.
    """
    lengths = input_at(node, 4)
    known = constant_ints(lengths)
    if grad is None or lengths is None or (known is not None and min(known, default=1) > 0):
        return grad
    started = op.Greater(lengths, 0)
    axes = [1, 2] if by_batch else [0, 2]
    return shaped(op.Where(op.Unsqueeze(started, axes), grad, 0.0), grad.shape)


def _directions(
    op: RuleEmitter,
    node: ir.Node,
    x: ir.Value,
    grads: Sequence[ir.Value | None],
    *,
    by_batch: bool,
) -> list[_Direction]:
    """Cut weights, states and gradients into those of each direction."""
    direction = node.attributes.get_string("direction", "forward")
    count = 2 if direction == "bidirectional" else 1
    hidden = static_shape(given(node, 2))[2]
    hidden = node.attributes.get_int("hidden_size", 0) if not isinstance(hidden, int) else hidden
    clip = node.attributes.get_float("clip", None)
    functions = activations_of(node, _ACTIVATIONS[node.op_type], count)
    made = []
    for d in range(count):
        cell = Cell(
            node.op_type,
            hidden,
            functions[d],
            None if clip is None else float(np.float32(clip)),
            node.attributes.get_int("input_forget", 0) == 1,
            node.attributes.get_int("linear_before_reset", 0) == 1,
        )
        zeros = _zeros(op, x, hidden)
        initial, dlast = [], []
        for i in range(cell.states):
            start = input_at(node, _INITIAL + i)
            end = _optional(grads, 1 + i)
            axis = 1 if by_batch else 0
            initial.append(zeros if start is None else _pick(op, start, d, axis))
            dlast.append(zeros if end is None else _pick(op, end, d, axis))
        dy = None if grads[0] is None else _output_gradient(op, grads[0], d, by_batch=by_batch)
        backwards = direction == "reverse" or d == 1
        made.append(_Direction(cell, _weights(op, node.inputs, d), backwards, initial, dy, dlast))
    return made


def _zeros(op: RuleEmitter, x: ir.Value, hidden: int) -> ir.Value:
    """A state of zeros."""
    batch = static_shape(x)[1]
    zero = ir.tensor([0.0], dtype=x.dtype)
    made = op.ConstantOfShape(op.Concat(size_at(op, x, 1), [hidden], axis=0), value=zero)
    return shaped(made, [batch, hidden])


def _pick(op: RuleEmitter, value: ir.Value, d: int, axis: int) -> ir.Value:
    """The part of one direction."""
    sizes = list(static_shape(value))
    if sizes[axis] == 1:
        return op.Squeeze(value, [axis])
    part = op.Squeeze(op.Slice(value, [d], [d + 1], [axis]), [axis])
    return shaped(part, [*sizes[:axis], *sizes[axis + 1 :]])


def _output_gradient(op: RuleEmitter, dy: ir.Value, d: int, *, by_batch: bool) -> ir.Value:
    """The gradient of one direction's states, (time, batch, hidden)."""
    if by_batch:
        return op.Transpose(_pick(op, dy, d, 2), perm=[1, 0, 2])
    return _pick(op, dy, d, 1)


def _weights(op: RuleEmitter, inputs: Sequence[ir.Value | None], d: int) -> Weights:
    """The parameters of one direction."""
    bias, peepholes = _optional(inputs, 3), _optional(inputs, 7)
    wb = rb = None
    if bias is not None:
        wb, rb = op.Split(_pick(op, bias, d, 0), num_outputs=2, axis=0, _outputs=2)
    return Weights(
        _pick(op, _given(inputs, 1), d, 0),
        _pick(op, _given(inputs, 2), d, 0),
        wb,
        rb,
        None if peepholes is None else _pick(op, peepholes, d, 0),
    )


def _linear(op: Emitter | RuleEmitter, x: ir.Value, w: ir.Value, bias: ir.Value | None) -> ir.Value:
    """x w^T + bias."""
    made = op.MatMul(x, op.Transpose(w))
    return made if bias is None else op.Add(made, bias)


def _through_time(
    op: RuleEmitter,
    it: _Direction,
    x: ir.Value,
    mask: ir.Value | None,
    x_copy: ir.Value,
    copied: Weights,
) -> tuple[list[tuple[ir.Value, ir.Value]], list[ir.Value]]:
    """Pairs of a value made of the copies and its gradient; gradients of the initial states."""
    r, rb = it.cell.recurrent_part(op.emitter, it.weights)
    inner = it.cell.inner_part(op.emitter, it.weights)
    xw = _linear(op, x, it.weights.w, it.weights.wb)
    hr, *before = _states_again(op, it, xw, (r, rb), inner, mask)
    steps = [xw, hr, *before]
    (dxw, dhr, *dafter), dinitial = _back_in_time(op, it, steps, r, inner, mask)
    state_part = _linear(op, before[0], *it.cell.recurrent_part(op.emitter, copied))
    targets = [(_linear(op, x_copy, copied.w, copied.wb), dxw), (state_part, dhr)]
    inner = it.cell.inner_part(op.emitter, copied)
    if inner:
        after = it.cell.step(op.emitter, xw, hr, tuple(before), inner)
        targets += list(zip(after, dafter, strict=True))
    return targets, dinitial


def _by_factors(
    op: RuleEmitter,
    it: _Direction,
    x: ir.Value,
    mask: ir.Value | None,
    x_copy: ir.Value,
    copied: Weights,
    again: list[StatesAgain],
) -> tuple[list[tuple[ir.Value, ir.Value]], list[ir.Value]]:
    """The same for the usual LSTM and GRU, whose steps are differentiated by hand.

    Adds the states that it computes on the way to `again`.
    """
    cell, weights = it.cell, it.weights
    walked = walk(
        op,
        RecurrentWalk(
            cell.kind, weights, cell.hidden, it.backwards, it.initial, it.dy, it.dlast, mask
        ),
        x,
    )
    again.append(StatesAgain(walked.after, walked.last))
    flat = [-1, (4 if cell.kind == "LSTM" else 3) * cell.hidden]
    pairs = (
        (x_copy, copied.w, copied.wb, walked.dxw),
        (walked.before, copied.r, copied.rb, walked.dhr),
    )
    targets = [(gates(op, of, w, b), op.Reshape(grad, flat)) for of, w, b, grad in pairs]
    return targets, walked.dinitial


def _states_again(
    op: RuleEmitter,
    it: _Direction,
    xw: ir.Value,
    recurrent_part: tuple[ir.Value, ir.Value | None],
    inner: list[ir.Value | None],
    mask: ir.Value | None,
) -> list[ir.Value]:
    """The state's part of the gates and the states at the start of each step."""
    scan = ScanBody(op.emitter, "states", backwards=it.backwards)
    states = tuple(scan.state(value) for value in it.initial)
    x_part = scan.element(xw)
    going = None if mask is None else scan.element(mask)
    r, rb = recurrent_part
    h_part = _recurrent(scan.body, states[0], r, rb)
    after = it.cell.step(scan.body, x_part, h_part, states, inner)
    _, stacked = scan.run(_held(scan.body, going, after, states), [h_part, *states])
    return stacked


def _recurrent(op: Emitter, h: ir.Value, r: ir.Value, rb: ir.Value | None) -> ir.Value:
    """h r^T + rb in a step."""
    return op.Gemm(h, r, transB=1) if rb is None else op.Gemm(h, r, rb, transB=1)


def _held(
    op: Emitter, going: ir.Value | None, after: Sequence[ir.Value], before: Sequence[ir.Value]
) -> list[ir.Value]:
    """The new states; the old ones where a sequence has ended."""
    if going is None:
        return list(after)
    return [op.Where(going, new, old) for new, old in zip(after, before, strict=True)]


def _back_in_time(
    op: RuleEmitter,
    it: _Direction,
    steps: list[ir.Value],
    r: ir.Value,
    inner: list[ir.Value | None],
    mask: ir.Value | None,
) -> tuple[list[ir.Value], list[ir.Value]]:
    """Gradients of the gates' two parts and of the new states at all times; those of the start."""
    scan = ScanBody(op.emitter, "gradients", backwards=not it.backwards)
    body = scan.body
    later = [scan.state(value) for value in it.dlast]
    xw, hr, *before = [scan.element(value) for value in steps]
    going = None if mask is None else scan.element(mask)
    arrived = list(later)
    if it.dy is not None:
        arrived[0] = body.Add(later[0], scan.element(it.dy))
    if going is not None:
        arrived = [body.Where(going, grad, 0.0) for grad in arrived]
    after = it.cell.step(body, xw, hr, tuple(before), inner)
    targets = list(zip(after, arrived, strict=True))
    found = backward(body, targets, [xw, hr, *before], device=op.device)
    dxw, dhr = (_or_zeros(body, found[i], like) for i, like in enumerate((xw, hr)))
    through = body.MatMul(dhr, r)
    dbefore = [through if found[2] is None else body.Add(through, found[2])]
    dbefore += [
        _or_zeros(body, grad, like) for grad, like in zip(found[3:], before[1:], strict=True)
    ]
    if going is not None:
        dbefore = [body.Where(going, new, old) for new, old in zip(dbefore, later, strict=True)]
    # Only what the step itself uses (peepholes, a GRU's candidate) asks for the states' gradients.
    first, stacked = scan.run(dbefore, [dxw, dhr, *(arrived if inner else [])])
    return stacked, first


def _or_zeros(op: Emitter, grad: ir.Value | None, like: ir.Value) -> ir.Value:
    """A gradient, or zeros where nothing depends on the value."""
    return op.Mul(like, 0.0) if grad is None else grad


def _joined(op: RuleEmitter, states: list[ir.Value], *, by_batch: bool) -> ir.Value:
    """The gradient of an initial state from those of its directions."""
    axis = 1 if by_batch else 0
    parts = [op.Unsqueeze(state, [axis]) for state in states]
    return parts[0] if len(parts) == 1 else op.Concat(*parts, axis=axis)
