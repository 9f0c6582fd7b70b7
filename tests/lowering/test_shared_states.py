"""In a training step the states of recurrent layers are computed once, and are the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import seqonnx
from seqonnx import layers
from seqonnx.autodiff import backward
from seqonnx.autodiff.rules import recurrent
from seqonnx.graph import Emitter
from seqonnx.graph.serde import to_proto
from seqonnx.lowering import pipeline
from seqonnx.lowering.pipeline import STEP, Options, lower
from seqonnx.training import trainer
from support.layers.emission import runtime
from support.sessions import settings

__all__ = ["settings"]

TIME, FEATURES, UNITS = 6, 3, 4
LAYERS = {
    "LSTM": lambda: [layers.LSTM(UNITS)],
    "GRU": lambda: [layers.GRU(UNITS)],
    "LSTM, all outputs": lambda: [layers.LSTM(UNITS, return_sequences=True), layers.Flatten()],
    "GRU, all outputs": lambda: [layers.GRU(UNITS, return_sequences=True), layers.Flatten()],
    "backwards": lambda: [layers.LSTM(UNITS, go_backwards=True, return_sequences=True)],
    "both ways": lambda: [layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True))],
    "one on another": lambda: [layers.GRU(UNITS, return_sequences=True), layers.LSTM(UNITS)],
    "without bias": lambda: [layers.GRU(UNITS, use_bias=False)],
}


def trained(make, monkeypatch, *, usual, x, **options):
    """Operators of the step, its loss and the weights after it; `usual` as before gradients."""
    built = []
    original = trainer.build_train_step
    with monkeypatch.context() as patch:
        if not usual:
            patch.setattr(recurrent, "has_factors", lambda node: False)
        patch.setattr(
            trainer, "build_train_step", lambda *a, **k: built.append(original(*a, **k)) or built[0]
        )
        seqonnx.clear_session()
        seqonnx.set_random_seed(3)
        model = seqonnx.Sequential([seqonnx.Input(x.shape[1:]), *make()])
        model.compile(seqonnx.optimizers.SGD(1.0), "mse", **options)
        before = [w.numpy() for w in model.trainable_weights]
        y = np.random.default_rng(1).normal(size=(len(x), *model.output_shape[1:]))
        loss = model.train_on_batch(x, y.astype(np.float32))
    graph = ir.from_proto(onnx.load_model_from_string(built[0].model)).graph
    descents = [b - w.numpy() for b, w in zip(before, model.trainable_weights, strict=True)]
    return [node.op_type for node in graph], loss, descents


def data(batch=5):
    rng = np.random.default_rng(0)
    return rng.normal(size=(batch, TIME, FEATURES)).astype(np.float32)


@pytest.mark.parametrize("case", LAYERS)
def test_a_step_has_no_recurrent_operator_and_the_same_gradients(case, settings, monkeypatch):
    x = data()
    operators, loss, gradients = trained(LAYERS[case], monkeypatch, usual=True, x=x)
    assert not {"LSTM", "GRU"} & set(operators)
    before, expected, wanted = trained(LAYERS[case], monkeypatch, usual=False, x=x)
    assert {"LSTM", "GRU"} & set(before)
    assert loss == pytest.approx(expected, rel=1e-6)
    for made, given in zip(gradients, wanted, strict=True):
        assert np.abs(made - given).max() <= 1e-5 * np.abs(given).max()


KEPT = {
    "sequences of several lengths": (
        lambda: [layers.Masking(0.0), layers.LSTM(UNITS)],
        {},
    ),
    "activations computed again": (lambda: [layers.LSTM(UNITS)], {"recompute": True}),
    "other activations": (lambda: [layers.LSTM(UNITS, activation="relu")], {}),
    "a reset before the product": (lambda: [layers.GRU(UNITS, reset_after=False)], {}),
}


@pytest.mark.parametrize("case", KEPT)
def test_the_operator_stays_where_the_states_are_not_those_of_its_outputs(
    case, settings, monkeypatch
):
    make, options = KEPT[case]
    x = data()
    x[2, 3:] = 0.0
    operators, loss, gradients = trained(make, monkeypatch, usual=True, x=x, **options)
    assert {"LSTM", "GRU"} & set(operators)
    _, expected, wanted = trained(make, monkeypatch, usual=False, x=x, **options)
    assert loss == pytest.approx(expected, rel=1e-6)
    for made, given in zip(gradients, wanted, strict=True):
        assert np.abs(made - given).max() <= 1e-5 * np.abs(given).max()


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_every_output_of_a_shared_operator_is_the_one_it_gave(kind, direction):
    count = 4 if kind == "LSTM" else 3
    ways = 2 if direction == "bidirectional" else 1
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.normal(size=(TIME, 2, FEATURES)),
        "w": rng.normal(size=(ways, count * UNITS, FEATURES)),
        "r": rng.normal(size=(ways, count * UNITS, UNITS)),
        "b": rng.normal(size=(ways, 2 * count * UNITS)),
        "h": rng.normal(size=(ways, 2, UNITS)),
        "c": rng.normal(size=(ways, 2, UNITS)),
    }
    feeds = {name: array.astype(np.float32) for name, array in arrays.items()}
    feeds = {name: array for name, array in feeds.items() if name != "c" or kind == "LSTM"}
    op = Emitter()
    x, w, r, b, *initial = (op.input(n, "float32", a.shape) for n, a in feeds.items())
    more = {} if kind == "LSTM" else {"linear_before_reset": 1}
    states = 3 if kind == "LSTM" else 2
    outputs = op.emit(
        kind,
        [x, w, r, b, None, *initial],
        {"hidden_size": UNITS, "direction": direction, **more, "_outputs": states},
    )
    gradients = backward(op, [(output, output) for output in outputs], [x, w, r, b, *initial])
    for i, value in enumerate([*outputs, *gradients]):
        op.output(value, f"y{i}")
    expected = runtime(op, feeds)
    lower(op, STEP)
    assert kind not in {node.op_type for node in op.graph}
    onnx.checker.check_model(to_proto(op.graph), full_check=True)
    for made, wanted in zip(runtime(op, feeds), expected, strict=True):
        assert made.shape == wanted.shape
        assert np.abs(made - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_a_graph_without_gradients_keeps_its_operator():
    op = Emitter()
    x = op.input("x", "float32", (TIME, 2, FEATURES))
    w = np.ones((1, 4 * UNITS, FEATURES), np.float32)
    r = np.ones((1, 4 * UNITS, UNITS), np.float32)
    op.output(op.LSTM(x, w, r, hidden_size=UNITS, _outputs=3)[0], "y")
    for passes in (STEP, pipeline.INFERENCE):
        lower(op, passes, Options())
        assert "LSTM" in {node.op_type for node in op.graph}
