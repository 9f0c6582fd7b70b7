"""Backpropagation through LSTM and GRU with as little as possible in the backward walk.

The first Scan computes the states again and turns what each step computed into the factors that
the way back multiplies with, while it lies in the cache. The second needs a handful of operators a
step: a product with the factors, one with the recurrent weights, a sum. The products with weights
are done for all times at once, before and after.

With the gates i, o, f, g of an LSTM, its cell state c and t = tanh(c'), the gradient that has come
to c' is e = dh (o - h' t) + dc, and the gates get (e, dh, e, e) times

    (i g - i g i, h' - h' o, f c - f c f, i - i g g).

A GRU whose reset gate r acts after the product p of state and weights, h' = n + z (h - n), gives
its gates z, r and its product dh times (h - n)(z - z z), a p (r - r r) and a r, and its candidate
dh a, with a = (1 - z)(1 - n n).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from seqonnx.autodiff.idioms.recurrent_cells import Weights
from seqonnx.autodiff.idioms.sizes import shaped
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.scan_body import ScanBody

_USUAL = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"]}
_OTHERWISE = ("activation_alpha", "activation_beta", "clip")


@dataclass(frozen=True)
class RecurrentWalk:
    """One direction of a node, and where its gradients start from.

    Args:
        kind: "LSTM" or "GRU".
        weights: the parameters.
        hidden: size of the state.
        backwards: whether it starts at the end.
        initial: the first states.
        dy: gradient of the states at all times, or None.
        dlast: gradients of the last states.
        mask: where a sequence goes on, (time, batch, 1), or None for everywhere.
    """

    kind: str
    weights: Weights
    hidden: int
    backwards: bool
    initial: Sequence[ir.Value]
    dy: ir.Value | None
    dlast: Sequence[ir.Value]
    mask: ir.Value | None


@dataclass(frozen=True)
class RecurrentGradients:
    """Gradients of what enters the gates, and the states.

    Args:
        dxw: gradient of the inputs' part of the gates, (time, batch, gates).
        dhr: that of the states' part.
        before: hidden state at the start of each step, (time, batch, hidden).
        dinitial: gradients of the first states.
        after: hidden state after each step.
        last: the last states.
    """

    dxw: ir.Value
    dhr: ir.Value
    before: ir.Value
    dinitial: list[ir.Value]
    after: ir.Value
    last: list[ir.Value]


def has_factors(node: ir.Node) -> bool:
    """Whether a node is an LSTM or a GRU as cuDNN and Keras have them by default."""
    usual = _USUAL.get(node.op_type)
    attributes = node.attributes
    if usual is None or any(name in attributes for name in _OTHERWISE):
        return False
    named = [name.lower() for name in attributes.get_strings("activations", usual)]
    if any(name != usual[i % len(usual)] for i, name in enumerate(named)):
        return False
    if node.op_type == "GRU":
        return attributes.get_int("linear_before_reset", 0) == 1
    peepholes = node.inputs[7] if len(node.inputs) > 7 else None
    return attributes.get_int("input_forget", 0) == 0 and peepholes is None


def gates(op: RuleEmitter | Emitter, x: ir.Value, w: ir.Value, bias: ir.Value | None) -> ir.Value:
    """x w^T + bias for all times, (time * batch, gates)."""
    width = static_shape(x)[2]
    rows = [-1, width] if isinstance(width, int) else op.Concat([-1], op.Shape(x, start=2), axis=0)
    flat = op.Reshape(x, rows)
    return op.Gemm(flat, w, transB=1) if bias is None else op.Gemm(flat, w, bias, transB=1)


def by_time(op: RuleEmitter, flat: ir.Value, x: ir.Value, count: int) -> ir.Value:
    """The values of `gates`, `count` of them, as (time, batch, gates)."""
    sizes = op.Concat(op.Shape(x, end=2), [count], axis=0)
    return shaped(op.Reshape(flat, sizes), [*static_shape(x)[:2], count])


def walk(op: RuleEmitter, it: RecurrentWalk, x: ir.Value) -> RecurrentGradients:
    """Walk through time and back.

    Args:
        op: the rule's emitter.
        it: the direction.
        x: input, (time, batch, features).
    """
    weights, lstm = it.weights, it.kind == "LSTM"
    bias, rb = weights.wb, weights.rb
    if lstm and bias is not None and rb is not None:
        bias, rb = op.Add(bias, rb), None
    xw = by_time(op, gates(op, x, weights.w, bias), x, (4 if lstm else 3) * it.hidden)
    scan = ScanBody(op.emitter, "states", backwards=it.backwards)
    states = [scan.state(value) for value in it.initial]
    x_part = scan.element(xw)
    going = None if it.mask is None else scan.element(it.mask)
    turned = op.Transpose(weights.r)
    made = _lstm if lstm else _gru
    after, factors = made(scan.body, x_part, states, turned, rb, it.hidden)
    held = _chosen(scan.body, going, after, states)
    # A state at the end of a sequence is handed on, but the output there is 0.
    shown = after[0] if going is None else scan.body.Where(going, after[0], 0.0)
    last, (before, shown_all, *kept) = scan.run(held, [states[0], shown, *factors])
    back = _lstm_back if lstm else _gru_back
    dxw, dhr, dinitial = back(op, it, kept)
    return RecurrentGradients(dxw, dhr, before, dinitial, shown_all, last)


def _chosen(
    op: Emitter, going: ir.Value | None, new: Sequence[ir.Value], old: Sequence[ir.Value]
) -> list[ir.Value]:
    """The new values; the old ones where a sequence has ended."""
    if going is None:
        return list(new)
    return [op.Where(going, a, b) for a, b in zip(new, old, strict=True)]


def _lstm(
    op: Emitter,
    xw: ir.Value,
    states: Sequence[ir.Value],
    r: ir.Value,
    rb: ir.Value | None,
    hidden: int,
) -> tuple[list[ir.Value], list[ir.Value]]:
    """The new states of a step; factors of the gates, of the cell state, and the forget gate."""
    h, c = states
    z = op.Gemm(h, r, xw)
    if rb is not None:
        z = op.Add(z, rb)
    zi, zo, zf, zc = op.Split(z, num_outputs=4, axis=1, _outputs=4)
    i, o, f, g = op.Sigmoid(zi), op.Sigmoid(zo), op.Sigmoid(zf), op.Tanh(zc)
    ig, fc = op.Mul(i, g), op.Mul(f, c)
    new = op.Add(fc, ig)
    t = op.Tanh(new)
    y = op.Mul(o, t)
    of_gates = [(ig, ig, i), (y, y, o), (fc, fc, f), (i, ig, g)]
    factors = [op.Sub(whole, op.Mul(part, gate)) for whole, part, gate in of_gates]
    return [y, new], [*factors, op.Sub(o, op.Mul(y, t)), f]


def _gru(
    op: Emitter,
    xw: ir.Value,
    states: Sequence[ir.Value],
    r: ir.Value,
    rb: ir.Value | None,
    hidden: int,
) -> tuple[list[ir.Value], list[ir.Value]]:
    """The new state of a step; factors of gates and product, of the candidate, and the update."""
    (h,) = states
    hr = op.Gemm(h, r) if rb is None else op.Gemm(h, r, rb)
    parts = [2 * hidden, hidden]
    xzr, xn = op.Split(xw, parts, axis=1, _outputs=2)
    hzr, product = op.Split(hr, parts, axis=1, _outputs=2)
    zr = op.Sigmoid(op.Add(xzr, hzr))
    update, reset = op.Split(zr, num_outputs=2, axis=1, _outputs=2)
    n = op.Tanh(op.Add(xn, op.Mul(reset, product)))
    apart = op.Sub(h, n)
    new = op.Add(n, op.Mul(update, apart))
    ways, wayr = op.Split(op.Sub(zr, op.Mul(zr, zr)), num_outputs=2, axis=1, _outputs=2)
    a = op.Mul(op.Sub(1.0, update), op.Sub(1.0, op.Mul(n, n)))
    of_reset = op.Mul(op.Mul(a, product), wayr)
    return [new], [op.Mul(apart, ways), of_reset, op.Mul(a, reset), a, update]


def _lstm_back(
    op: RuleEmitter, it: RecurrentWalk, kept: Sequence[ir.Value]
) -> tuple[ir.Value, ir.Value, list[ir.Value]]:
    """Gradients of both parts of the gates, which are the same, and of the first states."""
    scan, (dh, dc), (*of_gates, of_cell, forget), going = _entered(op, it, kept)
    body = scan.body
    e = body.Add(body.Mul(dh, of_cell), dc)
    pairs = zip((e, dh, e, e), of_gates, strict=True)
    dz = body.Concat(*[body.Mul(grad, factor) for grad, factor in pairs], axis=1)
    new = [body.MatMul(dz, it.weights.r), body.Mul(e, forget)]
    return _left(it, scan, new, dz, dz, going)


def _gru_back(
    op: RuleEmitter, it: RecurrentWalk, kept: Sequence[ir.Value]
) -> tuple[ir.Value, ir.Value, list[ir.Value]]:
    """Gradients of both parts of the gates and of the first state."""
    scan, (dh,), (*of_gates, of_candidate, update), going = _entered(op, it, kept)
    body = scan.body
    dz, dreset, dproduct = (body.Mul(dh, factor) for factor in of_gates)
    dhr = body.Concat(dz, dreset, dproduct, axis=1)
    dxw = body.Concat(dz, dreset, body.Mul(dh, of_candidate), axis=1)
    new = [body.Add(body.MatMul(dhr, it.weights.r), body.Mul(dh, update))]
    return _left(it, scan, new, dxw, dhr, going)


def _entered(
    op: RuleEmitter, it: RecurrentWalk, kept: Sequence[ir.Value]
) -> tuple[ScanBody, list[ir.Value], list[ir.Value], ir.Value | None]:
    """The Scan that goes back, the gradients that arrive at a step's states, and its factors."""
    scan = ScanBody(op.emitter, "gradients", backwards=not it.backwards)
    arrived = [scan.state(value) for value in it.dlast]
    factors = [scan.element(value) for value in kept]
    going = None if it.mask is None else scan.element(it.mask)
    if it.dy is not None:
        arrived[0] = scan.body.Add(arrived[0], scan.element(it.dy))
    if going is not None:
        arrived = [scan.body.Where(going, grad, 0.0) for grad in arrived]
    return scan, arrived, factors, going


def _left(
    it: RecurrentWalk,
    scan: ScanBody,
    new: Sequence[ir.Value],
    dxw: ir.Value,
    dhr: ir.Value,
    going: ir.Value | None,
) -> tuple[ir.Value, ir.Value, list[ir.Value]]:
    """Close the Scan; where a sequence has ended, the gradients are handed on as they came."""
    old = scan.body.graph.inputs[: len(it.dlast)]
    results = [dxw] if dxw is dhr else [dxw, dhr]
    first, stacked = scan.run(_chosen(scan.body, going, new, old), results)
    return stacked[0], stacked[-1], first
