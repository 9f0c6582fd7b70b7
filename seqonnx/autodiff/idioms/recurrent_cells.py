"""One step of RNN, GRU and LSTM, by the formulas of the ONNX operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape

CellActivation = Callable[[Emitter, ir.Value], ir.Value]
States = tuple[ir.Value, ...]

_DEFAULTS: dict[str, tuple[float, ...]] = {
    "affine": (1.0, 0.0),
    "scaledtanh": (1.0, 1.0),
    "hardsigmoid": (0.2, 0.5),
    "leakyrelu": (0.01,),
    "thresholdedrelu": (1.0,),
    "elu": (1.0,),
}
_PLAIN = {
    "relu": "Relu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softsign": "Softsign",
    "softplus": "Softplus",
}


@dataclass(frozen=True)
class Weights:
    """Parameters of one direction; those that the node lacks are None.

    Args:
        w: of the input, (gates * hidden, input).
        r: of the state, (gates * hidden, hidden).
        wb: bias beside `w`, (gates * hidden,).
        rb: bias beside `r`.
        p: peepholes, (3 * hidden,).
    """

    w: ir.Value
    r: ir.Value
    wb: ir.Value | None
    rb: ir.Value | None
    p: ir.Value | None


@dataclass(frozen=True)
class Cell:
    """The step of a node, as its attributes describe it.

    Args:
        kind: "RNN", "GRU" or "LSTM".
        hidden: size of the state.
        activations: functions of this direction.
        clip: bound of what enters an activation, or None.
        coupled: LSTM: whether the forget gate is 1 - the input gate.
        reset_after: GRU: whether the reset gate acts after the product (`linear_before_reset`).
    """

    kind: str
    hidden: int
    activations: list[CellActivation]
    clip: float | None
    coupled: bool
    reset_after: bool

    @property
    def states(self) -> int:
        """Number of states that are carried."""
        return 2 if self.kind == "LSTM" else 1

    def recurrent_part(self, op: Emitter, weights: Weights) -> tuple[ir.Value, ir.Value | None]:
        """The rows of `r` and `rb` whose product with the state needs nothing of the step."""
        if self.kind != "GRU" or self.reset_after:
            return weights.r, weights.rb
        rows = [0], [2 * self.hidden], [0]
        return (
            op.Slice(weights.r, *rows),
            None if weights.rb is None else op.Slice(weights.rb, *rows),
        )

    def inner_part(self, op: Emitter, weights: Weights) -> list[ir.Value | None]:
        """Parameters that only the step itself uses: peepholes, or the GRU's candidate rows."""
        h = self.hidden
        if self.kind == "LSTM" and weights.p is not None:
            return list(op.Split(weights.p, num_outputs=3, axis=0, _outputs=3))
        if self.kind == "GRU" and not self.reset_after:
            bias = None if weights.rb is None else op.Slice(weights.rb, [2 * h], [3 * h], [0])
            return [op.Transpose(op.Slice(weights.r, [2 * h], [3 * h], [0])), bias]
        return []

    def step(
        self, op: Emitter, xw: ir.Value, hr: ir.Value, states: States, inner: list[ir.Value | None]
    ) -> States:
        """The new states from the input's part, the state's part and the old states."""
        if self.kind == "RNN":
            return (self._activate(op, 0, op.Add(xw, hr)),)
        if self.kind == "GRU":
            return (self._gru(op, xw, hr, states[0], inner),)
        return self._lstm(op, op.Add(xw, hr), states[1], inner)

    def _activate(self, op: Emitter, which: int, x: ir.Value) -> ir.Value:
        if self.clip is not None:
            x = op.Clip(x, -self.clip, self.clip)
        return self.activations[which](op, x)

    def _gru(
        self, op: Emitter, xw: ir.Value, hr: ir.Value, h: ir.Value, inner: list[ir.Value | None]
    ) -> ir.Value:
        """z, r = f(...); n = g(...); h' = (1 - z) n + z h."""
        xz, xr, xn = split_gates(op, xw, 3)
        hz, hreset, *hn = split_gates(op, hr, 3 if self.reset_after else 2)
        z = self._activate(op, 0, op.Add(xz, hz))
        reset = self._activate(op, 0, op.Add(xr, hreset))
        if self.reset_after:
            candidate = op.Mul(reset, hn[0])
        else:
            candidate = op.MatMul(op.Mul(reset, h), inner[0])
            if inner[1] is not None:
                candidate = op.Add(candidate, inner[1])
        n = self._activate(op, 1, op.Add(xn, candidate))
        return op.Add(n, op.Mul(z, op.Sub(h, n)))

    def _lstm(self, op: Emitter, z: ir.Value, c: ir.Value, inner: list[ir.Value | None]) -> States:
        """i, o, f = f(...); c' = f c + i g(...); h' = o h(c')."""
        zi, zo, zf, zc = split_gates(op, z, 4)
        pi, po, pf = inner if inner else (None, None, None)
        if pi is not None:
            zi = op.Add(zi, op.Mul(pi, c))
        i = self._activate(op, 0, zi)
        if self.coupled:
            f = op.Sub(1.0, i)
        else:
            f = self._activate(op, 0, zf if pf is None else op.Add(zf, op.Mul(pf, c)))
        new = op.Add(op.Mul(f, c), op.Mul(i, self._activate(op, 1, zc)))
        o = self._activate(op, 0, zo if po is None else op.Add(zo, op.Mul(po, new)))
        return op.Mul(o, self.activations[2](op, new)), new


def split_gates(op: Emitter, value: ir.Value, count: int) -> list[ir.Value]:
    """Cut the last axis into the parts of the gates."""
    return list(
        op.Split(value, num_outputs=count, axis=len(static_shape(value)) - 1, _outputs=count)
    )


def activations_of(
    node: ir.Node, defaults: list[str], directions: int
) -> list[list[CellActivation]]:
    """The activations of each direction; alphas and betas go to those that take them, in order."""
    names = list(node.attributes.get_strings("activations", defaults * directions))
    alphas = list(node.attributes.get_floats("activation_alpha", ()))
    betas = list(node.attributes.get_floats("activation_beta", ()))
    made = []
    for name in names:
        numbers = list(_DEFAULTS.get(name.lower(), ()))
        for i, given in enumerate((alphas, betas)):
            if i < len(numbers) and given:
                numbers[i] = float(np.float32(given.pop(0)))
        made.append(_activation(name.lower(), numbers))
    each = len(names) // directions
    return [made[i * each : (i + 1) * each] for i in range(directions)]


def _activation(name: str, numbers: list[float]) -> CellActivation:
    """The function with its numbers."""
    if name in _PLAIN:
        return lambda op, x: op.emit(_PLAIN[name], [x], {})
    if name == "affine":
        return lambda op, x: op.Add(op.Mul(x, numbers[0]), numbers[1])
    if name == "scaledtanh":
        return lambda op, x: op.Mul(op.Tanh(op.Mul(x, numbers[1])), numbers[0])
    if name == "hardsigmoid":
        return lambda op, x: op.HardSigmoid(x, alpha=numbers[0], beta=numbers[1])
    op_type = {"leakyrelu": "LeakyRelu", "thresholdedrelu": "ThresholdedRelu", "elu": "Elu"}[name]
    return lambda op, x: op.emit(op_type, [x], {"alpha": numbers[0]})
