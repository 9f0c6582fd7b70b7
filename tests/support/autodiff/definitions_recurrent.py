"""RNN, GRU and LSTM from the formulas of the ONNX operators, in NumPy."""

from __future__ import annotations

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FUNCTIONS = {
    "Sigmoid": lambda x, a, b: sigmoid(x),
    "Tanh": lambda x, a, b: np.tanh(x),
    "Relu": lambda x, a, b: np.maximum(x, 0),
    "Softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "Softplus": lambda x, a, b: np.log1p(np.exp(x)),
    "Affine": lambda x, a, b: a * x + b,
    "ScaledTanh": lambda x, a, b: a * np.tanh(b * x),
    "HardSigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "LeakyRelu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "ThresholdedRelu": lambda x, a, b: np.where(x > a, x, 0),
    "Elu": lambda x, a, b: np.where(x >= 0, x, a * np.expm1(x)),
}
PLAIN = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}


def functions(kind, names, numbers, clip):
    """The activations as functions of one array; `numbers` holds (alpha, beta) by name."""
    bound = np.inf if clip is None else float(np.float32(clip))

    def make(name, clipped):
        a, b = numbers.get(name, (0.0, 0.0))
        a, b = float(np.float32(a)), float(np.float32(b))
        return lambda x: FUNCTIONS[name](np.clip(x, -bound, bound) if clipped else x, a, b)

    return [make(name, i < 2) for i, name in enumerate(names or PLAIN[kind])]


def rnn_step(f, x, h, c, w, r, wb, rb, p, options):
    return f[0](x @ w.T + h @ r.T + wb + rb), c


def gru_step(f, x, h, c, w, r, wb, rb, p, options):
    (wz, wr, wn), (rz, rr, rn) = np.split(w, 3), np.split(r, 3)
    (bz, br, bn), (cz, cr, cn) = np.split(wb, 3), np.split(rb, 3)
    z = f[0](x @ wz.T + h @ rz.T + bz + cz)
    reset = f[0](x @ wr.T + h @ rr.T + br + cr)
    if options.get("linear_before_reset"):
        n = f[1](x @ wn.T + reset * (h @ rn.T + cn) + bn)
    else:
        n = f[1](x @ wn.T + (reset * h) @ rn.T + cn + bn)
    return (1 - z) * n + z * h, c


def lstm_step(f, x, h, c, w, r, wb, rb, p, options):
    zi, zo, zf, zc = np.split(x @ w.T + h @ r.T + wb + rb, 4, axis=-1)
    pi, po, pf = np.split(p, 3)
    i = f[0](zi + pi * c)
    forget = 1 - i if options.get("input_forget") else f[0](zf + pf * c)
    new = forget * c + i * f[1](zc)
    return f[0](zo + po * new) * f[2](new), new


STEPS = {"RNN": rnn_step, "GRU": gru_step, "LSTM": lstm_step}
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def definition(kind, numbers=None, **options):
    """The operator with these attributes as a function of its inputs."""

    def run(x, w, r, b=None, lengths=None, h0=None, c0=None, p=None):
        if options.get("layout"):
            x = x.swapaxes(0, 1)
        times, batch, _ = x.shape
        directions, hidden = w.shape[0], r.shape[2]
        ys, hs, cs = [], [], []
        names = options.get("activations")
        for d in range(directions):
            each = None if names is None else names[d * len(PLAIN[kind]) :][: len(PLAIN[kind])]
            f = functions(kind, each, numbers or {}, options.get("clip"))
            wb, rb = np.zeros((2, GATES[kind] * hidden)) if b is None else np.split(b[d], 2)
            peep = np.zeros(3 * hidden) if p is None else p[d]
            axis = 1 if options.get("layout") else 0
            h = np.zeros((batch, hidden)) if h0 is None else np.take(h0, d, axis)
            c = np.zeros((batch, hidden)) if c0 is None else np.take(c0, d, axis)
            y = np.zeros((times, batch, hidden))
            backwards = d == 1 or options.get("direction") == "reverse"
            for t in range(times)[:: -1 if backwards else 1]:
                on = np.full(batch, True) if lengths is None else t < lengths
                h1, c1 = STEPS[kind](f, x[t], h, c, w[d], r[d], wb, rb, peep, options)
                h, c = np.where(on[:, None], h1, h), np.where(on[:, None], c1, c)
                y[t] = np.where(on[:, None], h1, 0)
            # ONNX Runtime has 0, not the first state, where there was no step.
            started = np.ones((batch, 1)) if lengths is None else (lengths > 0)[:, None]
            ys.append(y), hs.append(h * started), cs.append(c * started)
        y, h, c = np.stack(ys, 1), np.stack(hs), np.stack(cs)
        if options.get("layout"):
            y, h, c = y.transpose(2, 0, 1, 3), h.swapaxes(0, 1), c.swapaxes(0, 1)
        return (y, h, c) if kind == "LSTM" else (y, h)

    return run
