"""Recurrent layers by their definition, in NumPy: float64, or complex128 for derivatives.

The derivative by a complex step, Im f(x + ih) / h, is exact to rounding for analytic functions
(Squire and Trapp, 1998); `relu` and its like go by the real part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray
STEP = 1e-30


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


FUNCTIONS: Mapping[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "linear": lambda x: x,
    "relu": lambda x: np.where(x.real > 0, x, 0.0),
    "softsign": lambda x: x / (1.0 + np.where(x.real > 0, x, -x)),
    "softplus": lambda x: np.log(1.0 + np.exp(x)),
    "elu": lambda x: np.where(x.real > 0, x, np.exp(x) - 1.0),
    "hard_sigmoid": lambda x: np.where(
        x.real <= -3, 0.0, np.where(x.real >= 3, 1.0, x / 6.0 + 0.5)
    ),
    "silu": lambda x: x * sigmoid(x),
}


def lstm_step(x: Array, states: list[Array], w: list[Array], p: Mapping[str, Any]) -> list[Array]:
    """Keras's LSTM: kernel, recurrent kernel, bias with the parts i, f, c, o."""
    h, c = states
    zi, zf, zc, zo = _parts(x, h, w, p, 4)
    f, g = FUNCTIONS[p["recurrent_activation"]], FUNCTIONS[p["activation"]]
    c = f(zf) * c + f(zi) * g(zc)
    return [f(zo) * g(c), c]


def gru_step(x: Array, states: list[Array], w: list[Array], p: Mapping[str, Any]) -> list[Array]:
    """Keras's GRU: parts z, r, h."""
    (h,) = states
    units = h.shape[1]
    kernel, recurrent = w[:2]
    after = p["reset_after"]
    bias = w[2] if len(w) > 2 else np.zeros((2, 3 * units) if after else 3 * units)
    first, second = bias if after else (bias, np.zeros(3 * units))
    xs, hs = _masked(x, p.get("drop"), 3), _masked(h, p.get("recurrent_drop"), 3)
    cut = [slice(i * units, (i + 1) * units) for i in range(3)]
    xz, xr, xn = (part @ kernel[:, k] + first[k] for part, k in zip(xs, cut, strict=True))
    f, g = FUNCTIONS[p["recurrent_activation"]], FUNCTIONS[p["activation"]]
    z = f(xz + hs[0] @ recurrent[:, cut[0]] + second[cut[0]])
    r = f(xr + hs[1] @ recurrent[:, cut[1]] + second[cut[1]])
    if after:
        inner = r * (hs[2] @ recurrent[:, cut[2]] + second[cut[2]])
    else:
        inner = (r * hs[2]) @ recurrent[:, cut[2]]
    return [z * h + (1.0 - z) * g(xn + inner)]


def simple_step(x: Array, states: list[Array], w: list[Array], p: Mapping[str, Any]) -> list[Array]:
    """Keras's SimpleRNN."""
    (total,) = _parts(x, states[0], w, p, 1)
    return [FUNCTIONS[p["activation"]](total)]


STEPS = {"LSTM": lstm_step, "GRU": gru_step, "SimpleRNN": simple_step}
STATES = {"LSTM": 2, "GRU": 1, "SimpleRNN": 1}


def _masked(x: Array, masks: Sequence[Array] | None, count: int) -> list[Array]:
    """The value that each gate sees: the value times its mask; one mask is for all gates."""
    if masks is None:
        return [x] * count
    return [x * mask for mask in (masks if len(masks) == count else [masks[0]] * count)]


def _parts(x: Array, h: Array, w: list[Array], p: Mapping[str, Any], count: int) -> list[Array]:
    """The gates' sums."""
    units = h.shape[1]
    xs, hs = _masked(x, p.get("drop"), count), _masked(h, p.get("recurrent_drop"), count)
    made = []
    for i in range(count):
        cut = slice(i * units, (i + 1) * units)
        total = xs[i] @ w[0][:, cut] + hs[i] @ w[1][:, cut]
        made.append(total + w[2][cut] if len(w) > 2 else total)
    return made


def walk(
    step: Callable[[Array, list[Array]], list[Array]],
    x: Array,
    states: list[Array],
    *,
    mask: Array | None = None,
    go_backwards: bool = False,
    zero_output: bool = False,
) -> tuple[Array, list[Array]]:
    """Outputs of all steps in the order of the walk, (batch, time, units), and the last states.

    At a masked step the states stay, and the output is the one before, or zeros.
    """
    if go_backwards:
        x = x[:, ::-1]
        mask = None if mask is None else mask[:, ::-1]
    outputs = []
    before = np.zeros_like(states[0])
    for t in range(x.shape[1]):
        new = step(x[:, t], states)
        output = new[0]
        if mask is not None:
            valid = mask[:, t, None]
            output = np.where(valid, output, 0.0 if zero_output else before)
            new = [np.where(valid, a, b) for a, b in zip(new, states, strict=True)]
        states, before = new, output
        outputs.append(output)
    return np.stack(outputs, axis=1), states


def layer_outputs(
    kind: str, x: Array, weights: list[Array], initial: list[Array] | None, p: Mapping[str, Any]
) -> list[Array]:
    """The result of a layer: the output, then the states if asked for."""
    p = {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True, **p}
    units = weights[1].shape[0]
    if initial is None:
        initial = [np.zeros((len(x), units)) for _ in range(STATES[kind])]
    outputs, states = walk(
        lambda part, old: STEPS[kind](part, old, weights, p),
        x,
        initial,
        mask=p.get("mask"),
        go_backwards=p.get("go_backwards", False),
        zero_output=p.get("zero_output_for_mask", False),
    )
    output = outputs if p.get("return_sequences") else outputs[:, -1]
    return [output, *states] if p.get("return_state") else [output]


def gradients(function: Callable[[list[Array]], Array], values: Sequence[Array]) -> list[Array]:
    """The derivatives of a number by every element of every array, by complex steps."""
    found = []
    for i, value in enumerate(values):
        grad = np.zeros(value.shape)
        for index in np.ndindex(value.shape):
            moved = value.astype(complex)
            moved[index] += STEP * 1j
            result = function([*values[:i], moved, *values[i + 1 :]])
            grad[index] = np.imag(result) / STEP
        found.append(grad)
    return found
