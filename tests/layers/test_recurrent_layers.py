"""Recurrent layers in models: files, states that are kept, cells of one's own, refusals."""

from __future__ import annotations

import re

import numpy as np
import onnx
import onnxruntime
import pytest

import seqonnx as keras
from seqonnx import layers
from support.layers.recursions import layer_outputs

RNG = np.random.default_rng(8)
X = RNG.normal(size=(3, 5, 2)).astype(np.float32)
KINDS = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}


def exported(layer, tmp_path, shape=(None, 2), batch=None):
    """The file of a model of one layer."""
    model = keras.Sequential([keras.Input(shape, batch_size=batch), layer])
    model.export(tmp_path / "m.onnx")
    return model, onnx.load(tmp_path / "m.onnx")


def op_types(model):
    return [node.op_type for node in model.graph.node]


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString())


# Exported files.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"return_sequences": True, "go_backwards": True, "unroll": False},
        {"dropout": 0.3, "recurrent_dropout": 0.4},
        {"activation": "hard_sigmoid", "use_bias": False},
        {"activation": "softsign"},
    ],
    ids=lambda arguments: "-".join(arguments) or "plain",
)
def test_file_holds_onnx_own_operator_and_folded_weights(kind, arguments, tmp_path):
    model, file = exported(getattr(layers, kind)(4, **arguments), tmp_path)
    found = op_types(file)
    assert found.count(KINDS[kind]) == 1
    assert set(found) <= {KINDS[kind], "Transpose", "Squeeze", "Slice"}
    (weights,) = (node.input[1:4] for node in file.graph.node if node.op_type == KINDS[kind])
    assert {name for name in weights if name} <= {i.name for i in file.graph.initializer}
    for steps in (1, 5):
        (y,) = session(file).run(None, {"input": X[:, :steps]})
        np.testing.assert_allclose(y, model.predict(X[:, :steps], verbose=0), atol=1e-6)


def test_large_weights_are_folded_too(tmp_path):
    _, file = exported(layers.LSTM(96), tmp_path, (None, 70))
    assert op_types(file) == ["Transpose", "LSTM", "Squeeze"]


def test_bidirectional_file_holds_two_operators(tmp_path):
    layer = layers.Bidirectional(layers.GRU(4, return_sequences=True))
    model, file = exported(layer, tmp_path)
    assert op_types(file).count("GRU") == 2
    assert "Slice" not in op_types(file)
    (y,) = session(file).run(None, {"input": X})
    np.testing.assert_allclose(y, model.predict(X, verbose=0), atol=1e-6)


def test_stacked_cells_are_an_operator_each(tmp_path):
    cells = [layers.LSTMCell(4), layers.GRUCell(3), layers.SimpleRNNCell(2)]
    _, file = exported(layers.RNN(cells), tmp_path)
    assert [t for t in op_types(file) if t in KINDS.values()] == ["LSTM", "GRU", "RNN"]


@pytest.mark.parametrize("unroll", [False, True])
def test_what_no_operator_does_is_a_scan_or_written_out(unroll, tmp_path):
    layer = layers.LSTM(4, activation="silu", unroll=unroll)
    _, file = exported(layer, tmp_path, (5, 2))
    assert op_types(file).count("Scan") == (not unroll)
    assert {"LSTM", "Loop"}.isdisjoint(op_types(file))


def test_mask_in_a_file_is_data(tmp_path):
    x, mask = keras.Input((None, 2)), keras.Input((None,), dtype="bool")
    model = keras.Model([x, mask], layers.LSTM(4, return_sequences=True)(x, mask=mask))
    model.export(tmp_path / "m.onnx")
    file = onnx.load(tmp_path / "m.onnx")
    assert op_types(file).count("LSTM") == 1
    holes = RNG.random((3, 5)) < 0.5
    names = [value.name for value in file.graph.input]
    (y,) = session(file).run(None, dict(zip(names, [X, holes], strict=True)))
    weights = [w.astype(float) for w in model.get_weights()]
    (expected,) = layer_outputs(
        "LSTM", X.astype(float), weights, None, {"mask": holes, "return_sequences": True}
    )
    np.testing.assert_allclose(y, expected, atol=1e-5)


# Masks and empty batches.


class Marked(layers.Layer):
    """Says that steps of zeros do not count."""

    supports_masking = True

    def call(self, op, x, training):
        y = op.Identity(x)
        op.set_mask(y, op.Cast(op.ReduceMax(op.Abs(x), [2], keepdims=0), to=9))
        return y


@pytest.mark.filterwarnings("ignore:.*does not support masking:UserWarning")
def test_mask_of_the_input_is_read_and_goes_on():
    x = X.copy()
    x[0, [0, 3]] = x[1, 2:] = 0.0
    mask = np.abs(x).max(axis=2) > 0
    first, second = layers.GRU(3, return_sequences=True), layers.SimpleRNN(2)
    model = keras.Sequential([keras.Input((None, 2)), Marked(), first, second])
    y = model.predict(x, verbose=0)
    inner = first(x, mask=mask)
    np.testing.assert_allclose(y, second(inner, mask=mask), atol=1e-6)
    assert not np.allclose(y, second(inner), atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_empty_batch_gives_an_empty_result(kind):
    layer = getattr(layers, kind)(4, return_sequences=True)
    assert layer(X[:0]).shape == (0, 5, 4)
    model = keras.Sequential([keras.Input((5, 2)), layer, layers.Flatten(), layers.Dense(1)])
    assert model(X[:0]).shape == (0, 1)


def test_result_that_is_not_known_without_a_run_is_refused():
    layer = layers.LSTM(4)
    layer(X)
    message = "ONNX Runtime cannot run on an input without elements"
    with pytest.raises(keras.errors.ExecutionError, match=message):
        layer(X[:, :0])


# States from batch to batch.


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.LSTM(3, stateful=True, return_sequences=True),
        lambda: layers.GRU(3, "silu", stateful=True, return_sequences=True),
        lambda: layers.RNN([layers.LSTMCell(2), layers.GRUCell(3)], True, stateful=True),
    ],
    ids=["LSTM", "GRU-scan", "stacked"],
)
def test_states_are_kept_between_batches_until_they_are_reset(make):
    layer = make()
    model = keras.Sequential([keras.Input((None, 2), batch_size=3), layer])
    whole = model.predict(X, batch_size=3, verbose=0)
    for call in (lambda x: model.predict(x, batch_size=3, verbose=0), model, layer):
        layer.reset_state()
        parts = [call(X[:, :2]), call(X[:, 2:])]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-6)
    assert layer.weights == layer.trainable_weights


def test_training_and_evaluation_go_on_from_the_states():
    layer = layers.SimpleRNN(3, stateful=True)
    model = keras.Sequential([keras.Input((5, 2), batch_size=3), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    target = np.zeros((3, 3), np.float32)
    for run in (
        lambda: model.train_on_batch(X, target),
        lambda: model.evaluate(X, target, batch_size=3, verbose=0),
        lambda: model(X, training=True),
    ):
        layer.reset_states()
        run()
        first = layer.states[0].numpy()
        run()
        weights = [w.astype(float) for w in layer.get_weights()]
        (expected,) = layer_outputs("SimpleRNN", X.astype(float), weights, [first], {})
        np.testing.assert_allclose(layer.states[0].numpy(), expected, atol=1e-5)
        assert not np.allclose(first, expected)


def test_states_of_a_file_are_inputs_and_outputs(tmp_path):
    layer = layers.LSTM(3, stateful=True, return_sequences=True, name="lstm")
    model, file = exported(layer, tmp_path, batch=3)
    assert [value.name for value in file.graph.input] == ["input", "lstm/state_h", "lstm/state_c"]
    outputs = [value.name for value in file.graph.output]
    assert outputs[1:] == ["lstm/state_h_out", "lstm/state_c_out"]
    states = [np.zeros((3, 3), np.float32)] * 2
    parts = []
    for part in (X[:, :2], X[:, 2:]):
        named = {"lstm/state_h": states[0], "lstm/state_c": states[1]}
        y, *states = session(file).run(None, {"input": part, **named})
        parts.append(y)
    expected = model.predict(X, batch_size=3, verbose=0)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, atol=1e-6)


def test_states_of_both_ways_are_reset_together():
    layer = layers.Bidirectional(layers.GRU(2, stateful=True))
    layer(X)
    assert all(np.abs(state.numpy()).max() > 0 for state in layer.states)
    layer.reset_states()
    assert all(np.abs(state.numpy()).max() == 0 for state in layer.states)
    with pytest.raises(AttributeError, match="Layer must be stateful"):
        layers.Bidirectional(layers.GRU(2)).reset_state()


# Cells of one's own.


class Sums(layers.Layer):
    """h' = x + h / 2, written on values of the graph; its output is not its state."""

    state_size = 2
    output_size = 1

    def call(self, op, x, training, states):
        h = op.Add(x, op.Mul(states[0], 0.5))
        return op.ReduceSum(h, [1], keepdims=1), [h]


class Weighted(layers.Layer):
    """The cell of Keras's documentation, as it is written there."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="uniform", name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
        )

    def call(self, inputs, states):
        output = inputs @ self.kernel + states[0] @ self.recurrent_kernel
        return output, [output]


@pytest.mark.parametrize("unroll", [False, True])
def test_cell_on_values_of_the_graph(unroll):
    h, sums = np.zeros((3, 2)), []
    for t in range(5):
        h = X[:, t] + h / 2
        sums.append(h.sum(axis=1, keepdims=True))
    layer = layers.RNN(Sums(), return_sequences=True, return_state=True, unroll=unroll)
    y, state = layer(X)
    np.testing.assert_allclose(y, np.stack(sums, axis=1), atol=1e-6)
    np.testing.assert_allclose(state, h, atol=1e-6)
    np.testing.assert_allclose(layers.RNN(Sums())(X), sums[-1], atol=1e-6)


def test_output_of_a_masked_step_is_the_one_before():
    mask = np.array([[0, 1, 1, 0, 1]] * 3, bool)
    y = layers.RNN(Sums(), return_sequences=True)(X, mask=mask)
    assert np.all(y[:, 0] == 0.0)
    np.testing.assert_array_equal(y[:, 3], y[:, 2])


def test_cell_in_the_spelling_of_keras_trains_and_stacks():
    layer = layers.RNN([Weighted(4), Weighted(2)])
    model = keras.Sequential([keras.Input((None, 2)), layer, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    assert [w.shape for w in layer.weights] == [(2, 4), (4, 4), (4, 2), (2, 2)]
    losses = model.fit(X, X[:, -1, :1], epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


def test_cell_of_ones_own_survives_a_file(tmp_path):
    model = keras.Sequential([keras.Input((None, 2)), layers.RNN([Sums(), Weighted2()])])
    model.save(tmp_path / "m.onnx")
    custom = {"Sums": Sums, "Weighted2": Weighted2}
    again = keras.load_model(tmp_path / "m.onnx", custom_objects=custom)
    np.testing.assert_array_equal(again(X), model(X))


class Weighted2(Weighted):
    """A cell without arguments."""

    def __init__(self, **kwargs):
        super().__init__(2, **kwargs)

    def get_config(self):
        return {"name": self.name}


def test_cell_alone_takes_its_states():
    cell = layers.LSTMCell(4)
    h = c = np.zeros((3, 4), np.float32)
    for t in range(5):
        y, (h, c) = cell(X[:, t], [h, c])
    layer = layers.LSTM(4, return_state=True)
    layer(X)
    layer.set_weights(cell.get_weights())
    for got, expected in zip(layer(X), (y, h, c), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)


# Wrappers.


def test_dropout_in_every_step_is_drawn_anew():
    layer = layers.TimeDistributed(layers.Dropout(0.5))
    y = layer(np.ones((2, 50, 8), np.float32), training=True)
    kept = (y > 0).reshape(100, 8)
    assert len(np.unique(kept, axis=0)) > 50
    assert set(np.unique(y)) == {0.0, 2.0}


def test_batch_statistics_are_those_of_each_step():
    """Keras calls the layer on one step after the other."""
    layer = layers.TimeDistributed(layers.BatchNormalization(momentum=0.5))
    y = layer(X, training=True)
    np.testing.assert_allclose(y.mean(axis=0), 0.0, atol=1e-6)
    mean = np.zeros(2)
    for t in range(5):
        mean = mean / 2 + X[:, t].mean(axis=0) / 2
    np.testing.assert_allclose(layer.get_weights()[2], mean, atol=1e-6)


def test_first_weights_of_both_ways_may_be_given():
    weights = [RNG.normal(size=s).astype(np.float32) for s in [(2, 9), (3, 9), (2, 9)] * 2]
    layer = layers.Bidirectional(layers.GRU(3), weights=weights)
    layer(X)
    for weight, given in zip(layer.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(weight, given)


def test_frozen_layer_freezes_its_cell():
    layer = layers.LSTM(4, trainable=False)
    layer(X)
    assert layer.trainable_weights == []
    layer.trainable = True
    assert len(layer.trainable_weights) == 3


# What is refused, with Keras's texts.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.LSTM(0), "argument `units`, expected a positive integer, got 0."),
        (lambda: layers.GRUCell(-1), "argument `units`, expected a positive integer, got -1."),
        (lambda: layers.LSTM(2, use_cudnn="no"), "Expected one of {'auto', True, False}"),
        (lambda: layers.RNN(3), "Argument `cell` should have a `call` method. Received: cell=3"),
        (lambda: layers.RNN(layers.Dense(2)), "The RNN cell should have a `state_size` attribute"),
        (
            lambda: layers.LSTM(2)(X, initial_state=[np.zeros((3, 2), np.float32)]),
            "has 2 state(s): `initial_state` must be a list of as many tensors. Received: 1",
        ),
        (lambda: layers.StackedRNNCells([layers.Dense(2)]), "must have a `state_size` attribute"),
        (lambda: layers.Bidirectional(3), "Please initialize `Bidirectional` layer with a"),
        (lambda: layers.Bidirectional(layers.LSTM(2), "max"), "Invalid merge mode. Received: max"),
        (
            lambda: layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2)),
            "should have different `go_backwards` value",
        ),
        (
            lambda: layers.Bidirectional(
                layers.LSTM(2, return_sequences=True),
                backward_layer=layers.LSTM(2, go_backwards=True),
            ),
            'same value for attribute "return_sequences"',
        ),
        (lambda: layers.TimeDistributed(3), "Please initialize `TimeDistributed` layer with a"),
        (
            lambda: layers.TimeDistributed(layers.Dense(2))(np.ones((2, 3))),
            "with at least 3 dimensions, received: (2, 3)",
        ),
        (
            lambda: layers.LSTM(2)(np.ones((2, 3))),
            "expected ndim=3, found ndim=2. Full shape received: (2, 3)",
        ),
        (
            lambda: layers.LSTM(2, "silu", unroll=True)(keras.Input((None, 3))),
            "Cannot unroll a RNN if the time dimension is undefined.",
        ),
        (
            lambda: layers.GRU(2, stateful=True)(keras.Input((5, 3))),
            "When using `stateful=True` in a RNN, the batch size must be static.",
        ),
        (
            lambda: layers.ConvLSTM2D(2, 3, 2, dilation_rate=2),
            "Specifying `strides > 1` is not compatible with `dilation_rate > 1`.",
        ),
        (
            lambda: layers.ConvLSTM2D(2, 3)(keras.Input((4, None, 8, 3))),
            "ConvLSTM layers only support static input shapes for the spatial dimension.",
        ),
        (
            lambda: layers.LSTM(2, "silu", use_cudnn=True)(X),
            "use_cudnn=True was specified, but cuDNN is not supported",
        ),
    ],
    ids=range(19),
)
def test_illegal_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_other_batch_than_that_of_the_states_is_refused():
    layer = layers.GRU(2, stateful=True)
    layer(X)
    message = "- Expected batch size: 3\n- Received batch size: 2"
    with pytest.raises(ValueError, match=message):
        layer(X[:2])


class Dropping(layers.Layer):
    """Its output is its input, of which another layer drops a share."""

    state_size = 1
    output_size = 6

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dropout = layers.Dropout(0.5)

    def call(self, inputs, states, training=None):
        return self.dropout(inputs, training=training), states


@pytest.mark.parametrize("unroll", [False, True])
def test_dropout_of_ones_own_cell_is_drawn_at_every_step(unroll):
    """As Keras calls the layer inside; its own cells draw once."""
    layer = layers.RNN(Dropping(), return_sequences=True, unroll=unroll)
    y = layer(np.ones((2, 40, 6), np.float32), training=True)
    assert len(np.unique((y > 0).reshape(80, 6), axis=0)) > 30
    assert set(np.unique(y)) == {0.0, 2.0}
