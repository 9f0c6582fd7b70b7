"""Recurrent layers compute what they are defined to, and so do their gradients.

The definition is a recursion in NumPy (`support/layers/recursions.py`), in float64; its derivatives
are taken by complex steps.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from seqonnx import layers
from seqonnx.autodiff import backward
from seqonnx.graph import Emitter
from support.layers.emission import runtime
from support.layers.recursions import STATES, gradients, layer_outputs

KINDS = ("LSTM", "GRU", "SimpleRNN")
BATCH, TIME, FEATURES, UNITS = 3, 5, 2, 3
HOLES = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 1], [0, 0, 0, 0, 0]], bool)


def table():
    """Kinds with the arguments that change their nodes, and whether there are states and masks."""
    for kind in KINDS:
        yield kind, {}, False, None
        for sequences, state, back, initial in itertools.product([False, True], repeat=4):
            arguments = {"return_sequences": sequences, "return_state": state, "go_backwards": back}
            masks = (None, HOLES) if sequences == state or back else (HOLES,)
            for mask in masks:
                yield kind, arguments, initial, mask
        more = {"return_sequences": True, "return_state": True}
        yield kind, dict(more, zero_output_for_mask=True), True, HOLES
        yield kind, dict(more, go_backwards=True, zero_output_for_mask=True), False, HOLES
        yield kind, {"zero_output_for_mask": True}, False, HOLES
        yield kind, dict(more, use_bias=False), True, None
        for activation in ("relu", "linear", "softsign", "softplus", "elu", "hard_sigmoid"):
            yield kind, dict(more, activation=activation), True, None
        for unroll, back in itertools.product([False, True], repeat=2):
            other = dict(more, activation="silu", unroll=unroll, go_backwards=back)
            yield kind, other, True, None
            yield kind, other, False, HOLES
        if kind != "SimpleRNN":
            yield kind, dict(more, recurrent_activation="hard_sigmoid"), True, HOLES
            yield kind, {"recurrent_activation": "silu"}, False, None
    for mask, activation in itertools.product([None, HOLES], ["tanh", "silu"]):
        more = {"reset_after": False, "return_sequences": True, "activation": activation}
        yield "GRU", more, True, mask
        yield "GRU", dict(more, use_bias=False, unroll=True), False, mask


CASES = list(table())


def some(cases, every):
    """All cases, of which one in so many runs always."""
    return [
        case if i % every == 0 else pytest.param(case, marks=pytest.mark.slow)
        for i, case in enumerate(cases)
    ]


def name(case):
    kind, arguments, initial, mask = case
    told = [key if value is True else f"{key}={value}" for key, value in arguments.items() if value]
    told += ["initial"] * bool(initial) + ["mask"] * (mask is not None)
    return "-".join([kind, *told])


def emitted(layer, x, initial, mask, *, training=True, dtype="float32"):
    """The graph of a layer with its gradients; returns the emitter and the feeds but for noise."""
    rng = np.random.default_rng(3)
    layer._build_for((None, *x.shape[1:]))
    op = Emitter(weights_as="input")
    value = op.input("x", dtype, ("batch", "time", x.shape[2]))
    feeds = {"x": x}
    if layer.unroll:
        value.shape = type(value.shape)(("batch", *x.shape[1:]))
    states = None
    if initial is not None:
        states = [
            op.input(f"state{i}", dtype, ("batch", s.shape[1])) for i, s in enumerate(initial)
        ]
        feeds |= {f"state{i}": state for i, state in enumerate(initial)}
    valid = None if mask is None else op.input("mask", "bool", ("batch", "time"))
    if mask is not None:
        feeds["mask"] = mask
        if layer.unroll:
            valid.shape = type(value.shape)(("batch", x.shape[1]))
    made = layer.call(op, value, training, mask=valid, initial_state=states)
    made = made if isinstance(made, list) else [made]
    seeds = [op.input(f"seed{i}", dtype, y.shape) for i, y in enumerate(made)]
    moved = [value, *(states or []), *(op.read(weight) for weight in layer.weights)]
    found = backward(op, list(zip(made, seeds, strict=True)), moved)
    for i, y in enumerate(made):
        op.output(y, f"y{i}")
    for i, grad in enumerate(found):
        op.output(grad, f"grad{i}")
    for weight in layer.weights:
        feeds[op.read(weight).name] = rng.normal(size=weight.shape)
    return op, feeds, [op.read(weight).name for weight in layer.weights], len(made)


def compare(layer, kind, arguments, x, initial, mask, drop=None, dtype="float32"):
    rng = np.random.default_rng(4)
    op, feeds, weights, outputs = emitted(layer, x, initial, mask, dtype=dtype)
    p = dict(arguments, mask=mask, **(drop(op, feeds) if drop else {}))
    names = ["x", *(f"state{i}" for i in range(len(initial or []))), *weights]
    count = len(names) - len(weights)

    def function(values):
        return layer_outputs(kind, values[0], values[count:], values[1:count] or None, p)

    values = [feeds[each] for each in names]
    expected = function(values)
    assert len(expected) == outputs
    seeds = [rng.normal(size=y.shape) for y in expected]
    feeds |= {f"seed{i}": seed for i, seed in enumerate(seeds)}

    def total(moved):
        return sum((s * y).sum() for s, y in zip(seeds, function(moved), strict=True))

    exact = gradients(total, values)
    fed = {k: v if v.dtype == bool else v.astype(dtype) for k, v in feeds.items()}
    found = runtime(op, {k: v.astype("float32") if k in op.noise else v for k, v in fed.items()})
    tolerance = 1e-5 if dtype == "float32" else 1e-11
    for got, want in zip(found, [*expected, *exact], strict=True):
        assert got.shape == want.shape
        scale = max(1.0, np.abs(want).max())
        np.testing.assert_allclose(got / scale, want / scale, rtol=0, atol=tolerance)


def data(kind, initial):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(BATCH, TIME, FEATURES))
    states = [rng.normal(size=(BATCH, UNITS)) for _ in range(STATES[kind])] if initial else None
    return x, states


@pytest.mark.parametrize("case", some(CASES, 7), ids=name)
def test_outputs_states_and_gradients(case):
    kind, arguments, initial, mask = case
    x, states = data(kind, initial)
    compare(getattr(layers, kind)(UNITS, **arguments), kind, arguments, x, states, mask)


@pytest.mark.parametrize(
    "case", some([c for c in CASES if "activation=" not in name(c)][::7], 10), ids=name
)
def test_double_precision(case):
    """ONNX Runtime has no recurrent operator in float64: a Scan does it."""
    kind, arguments, initial, mask = case
    x, states = data(kind, initial)
    layer = getattr(layers, kind)(UNITS, **arguments, dtype="float64")
    compare(layer, kind, arguments, x, states, mask, dtype="float64")


@pytest.mark.parametrize(
    "mask", [None, pytest.param(HOLES, marks=pytest.mark.slow)], ids=["whole", "mask"]
)
@pytest.mark.parametrize(
    "rates",
    [(0.4, 0.0), pytest.param((0.0, 0.3), marks=pytest.mark.slow), (0.4, 0.3)],
    ids=str,
)
@pytest.mark.parametrize(
    ("kind", "more"),
    [("LSTM", {}), ("GRU", {}), ("GRU", {"reset_after": False}), ("SimpleRNN", {})],
    ids=["LSTM", "GRU", "GRU-before", "SimpleRNN"],
)
def test_dropout_draws_once_for_all_steps(kind, more, rates, mask):
    """Masks by gate as soon as the state is dropped, too; else one for the inputs."""
    gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[kind] if rates[1] > 0 else 1

    def drop(op, feeds):
        noise = list(op.noise)
        assert len(noise) == gates * sum(rate > 0 for rate in rates)
        rng = np.random.default_rng(6)
        made = {}
        for key, rate, width in (("drop", rates[0], FEATURES), ("recurrent_drop", rates[1], UNITS)):
            if rate == 0.0:
                continue
            made[key] = []
            for _ in range(gates):
                fed = noise.pop(0)
                drawn = rng.random((BATCH, width))
                assert {size for size in op.noise[fed].shape if size != 1} == {"batch", width}
                sizes = [BATCH if size == "batch" else size for size in op.noise[fed].shape]
                feeds[fed] = drawn.reshape(sizes)
                made[key].append((drawn >= rate) / (1.0 - rate))
        return made

    x, states = data(kind, True)
    arguments = dict(more, return_sequences=True)
    layer = getattr(layers, kind)(UNITS, **arguments, dropout=rates[0], recurrent_dropout=rates[1])
    compare(layer, kind, arguments, x, states, mask, drop)
