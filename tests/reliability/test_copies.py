"""Copies: `pickle`, `copy.deepcopy` and `joblib` of used objects go on, and are independent.

State goes along: weights, slots, counters, accumulators. Sessions, locks and arrays on a device do
not, and are made anew.
"""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import callbacks, layers, losses, metrics, optimizers
from seqonnx.catalogue import entries, short_names
from seqonnx.graph import Variable
from seqonnx.tensor_function import TensorFunction
from support.reliability.trained_networks import (
    NETWORKS,
    Scale,
    assert_same,
    compiled,
    state,
    train,
)

COPIERS = {"pickle": lambda thing: pickle.loads(pickle.dumps(thing)), "deepcopy": copy.deepcopy}


ALIKE = {"dense", "separable", "frozen"}
"""Networks that add little to the others here."""


@pytest.fixture(params=COPIERS)
def copied(request):
    return COPIERS[request.param]


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in ALIKE else [], id=name)
        for name in NETWORKS
    ],
)
def test_a_used_model_trains_on_as_its_copy_does(network):
    model, x = compiled(network)
    train(model, x)
    model.predict(x, verbose=0)
    model(x, training=True)
    copied = list(COPIERS.values())[list(NETWORKS).index(network) % 2]
    other = copied(model)
    assert_same(state(other), state(model))
    before = state(model)
    history = train(other, x, epochs=2)
    assert_same(state(model), before)
    assert train(model, x, epochs=2) == history
    assert_same(state(other), state(model))


def test_a_copy_of_a_copy_and_of_what_never_ran(copied):
    model, x = compiled("noise")
    fresh = copied(copied(model))
    assert_same(fresh.get_weights(), model.get_weights())
    train(model, x)
    once = copied(copied(model))  # the first copy has opened nothing
    assert train(once, x) == train(model, x)
    plain = copied(keras.Sequential([layers.Dense(2)]))
    assert not plain.built
    assert plain.predict(np.ones((1, 3)), verbose=0).shape == (1, 2)


def test_a_shared_layer_is_shared_in_the_copy(copied):
    model, x = compiled("several_inputs")
    other = copied(model)
    shared = other.get_layer("shared")
    assert shared is not model.get_layer("shared")
    assert len([layer for layer in other.layers if layer.name == "shared"]) == 1
    shared.set_weights([np.zeros((3, 4)), np.zeros(4)])
    part = keras.Model(other.inputs, [other.get_layer("shared").output])
    assert not np.any(part(x)[0])
    assert np.any(model.get_layer("shared").get_weights()[0])


def test_models_that_share_layers_share_them_in_a_copy_of_both(copied):
    base = layers.Dense(3)
    first = keras.Sequential([keras.Input((2,)), base])
    second = keras.Sequential([keras.Input((2,)), base, layers.Dense(1)])
    one, two = copied([first, second])
    assert one.layers[0] is two.layers[0]
    one.layers[0].set_weights([np.ones((2, 3)), np.ones(3)])
    assert_same(two.get_weights()[:2], one.get_weights())


def test_a_copy_can_be_changed_like_any_model(copied, tmp_path):
    model, x = compiled("dense")
    other = copied(model)
    other.pop()
    other.add(layers.Dense(2, name="other"))
    assert other(x).shape == (16, 2)
    assert model(x).shape == (16, 3)
    other.save(tmp_path / "m.onnx")
    np.testing.assert_array_equal(keras.load_model(tmp_path / "m.onnx")(x), other(x))
    model.save(tmp_path / "a.onnx")
    copied(model).save(tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_deep_network_is_no_deep_recursion(copied):
    model = keras.Sequential([keras.Input((2,)), *(layers.Dense(2) for _ in range(120))])
    assert_same(copied(model).get_weights(), model.get_weights())


LAYERS = [
    lambda: layers.Dense(3, "gelu", kernel_regularizer="l1_l2", bias_constraint="non_neg"),
    layers.BatchNormalization,
    lambda: layers.Dropout(0.5),
    layers.PReLU,
    lambda: layers.Activation("softmax"),
    lambda: layers.Rescaling(0.5, 1.0),
    Scale,
]


@pytest.mark.parametrize("make", LAYERS)
def test_a_used_layer(copied, make):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    layer = make()
    layer(x)
    if layer.weights:
        layer.set_weights([w + 0.5 for w in layer.get_weights()])
    other = copied(layer)
    np.testing.assert_array_equal(other(x), layer(x))
    assert (other.name, other.get_config()) == (layer.name, layer.get_config())
    if other.weights:
        other.set_weights([w * 0 for w in other.get_weights()])
        assert all(np.any(w) for w in layer.get_weights())


def test_a_layer_leaves_its_models_behind(copied):
    model, _ = compiled("dense")
    other = copied(model.layers[-1])
    with pytest.raises(AttributeError, match="has never been called"):
        _ = other.input
    assert len(pickle.dumps(model.layers[-1])) < len(pickle.dumps(model)) / 2


@pytest.mark.parametrize(
    "metric",
    [
        metrics.SparseCategoricalAccuracy(),
        metrics.AUC(),
        metrics.Precision(thresholds=[0.3, 0.7]),
        metrics.RootMeanSquaredError(),
        metrics.MeanMetricWrapper(losses.mean_squared_error),
    ],
    ids=lambda metric: metric.name,
)
def test_a_metric_with_what_it_has_accumulated(copied, metric):
    y, p = np.array([[0.0], [1.0], [1.0]]), np.array([[0.2], [0.9], [0.4]])
    metric.update_state(y, p)
    other = copied(metric)
    np.testing.assert_array_equal(other.result(), metric.result())
    other.update_state(y, 1 - p)
    metric.update_state(y, 1 - p)
    np.testing.assert_array_equal(other.result(), metric.result())
    other.reset_state()
    assert np.any(np.asarray(metric.result()) != np.asarray(other.result()))


@pytest.mark.parametrize("name", short_names("optimizer"))
def test_an_optimizer_with_slots_and_iterations(copied, name):
    optimizer = optimizers.get(name)
    params, grads = [np.ones(3, np.float32)], [np.array([1.0, -2.0, 0.5], np.float32)]
    params = optimizer.apply(grads, optimizer.apply(grads, params))
    other = copied(optimizer)
    assert other.iterations == 2
    assert_same(other.apply(grads, params), optimizer.apply(grads, params))
    other.apply(grads, params)
    assert (optimizer.iterations, other.iterations) == (3, 4)


def test_losses_variables_histories_and_callbacks(copied, tmp_path):
    y, p = np.array([0, 1]), np.array([[0.9, 0.1], [0.3, 0.7]])
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    assert copied(loss)(y, p) == loss(y, p)
    variable = Variable(np.arange(6.0).reshape(2, 3), "v", layout=(1, 0))
    other = copied(variable)
    other.assign(np.zeros((2, 3)))
    np.testing.assert_array_equal(variable.numpy(), np.arange(6.0).reshape(2, 3))
    assert (other.shape, other._stored().shape, other.dtype) == ((2, 3), (3, 2), "float64")
    model, x = compiled("dense")
    kept = [
        callbacks.EarlyStopping("loss", patience=3, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("loss"),
        callbacks.CSVLogger(tmp_path / "log.csv"),
        callbacks.ModelCheckpoint(tmp_path / "best.onnx", "loss", save_best_only=True),
        callbacks.TerminateOnNaN(),
    ]
    history = model.fit(x, np.zeros(16), epochs=2, callbacks=kept, verbose=1)
    assert copied(history).history == history.history
    for callback in copied(kept):
        assert callback.model is not model
        callback.model.fit(x, np.zeros(16), callbacks=[callback], verbose=0)


def test_a_copy_opens_in_another_process(tmp_path):
    model, x = compiled("convolution")
    train(model, x)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps((model, x)))
    program = (
        "import pickle, sys; model, x = pickle.load(open(sys.argv[1], 'rb'));"
        "sys.stdout.buffer.write(model.predict(x, verbose=0).tobytes())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "model.pickle")],
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert result.stdout == model.predict(x, verbose=0).tobytes()


def test_joblib(tmp_path):
    joblib = pytest.importorskip("joblib", reason="writes models with joblib")
    model, x = compiled("noise")
    train(model, x)
    joblib.dump(model, tmp_path / "model.joblib")
    assert train(joblib.load(tmp_path / "model.joblib"), x) == train(model, x)


def test_a_shallow_copy_shares_layers_and_no_session():
    x, y = np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    before = model.history
    twin = copy.copy(model)
    twin.compile("adam", "mae")
    assert type(model.optimizer) is optimizers.SGD
    twin.fit(x, y, verbose=0)
    assert model.history is before
    assert twin.history is not before
    np.testing.assert_array_equal(twin.get_weights()[0], model.get_weights()[0])
    grown = copy.copy(model)
    grown.add(layers.Dense(5))
    assert (grown(x).shape, model(x).shape) == ((4, 5), (4, 2))
    assert len(model.layers[0]._calls) == 1


def test_the_optimizer_of_a_copy_shows_its_slots_at_once(copied):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    twin = copied(model)
    shown = [np.asarray(v) for v in twin.optimizer.variables]
    for mine, theirs in zip(model.optimizer.variables, shown, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), theirs)


class Branched(keras.Model):
    """Seven times its input in training, twice it otherwise."""

    def __init__(self, name=None):
        super().__init__(name=name)
        self.twice = layers.Dense(
            1, use_bias=False, kernel_initializer=keras.initializers.Constant(2)
        )
        self.often = layers.Dense(
            1, use_bias=False, kernel_initializer=keras.initializers.Constant(7)
        )

    def call(self, x, training=None):
        return self.often(x) if training else self.twice(x)


@pytest.mark.parametrize("nested", [False, True], ids=["alone", "nested"])
def test_what_a_subclassed_model_does_in_training(copied, nested):
    model = Branched()
    if nested:
        x = keras.Input((1,))
        model = keras.Model(x, model(x))
    one = np.ones((1, 1), np.float32)
    model(one)
    other = copied(copied(model))
    assert [other(one).item(), other(one, training=True).item()] == [2.0, 7.0]
    other.compile("sgd", "mse")
    assert other.fit(one, 7 * one, verbose=0).history["loss"] == [0.0]


@pytest.mark.parametrize("kind", ["activation", "op", "random"])
def test_functions_of_tensors_are_themselves_in_a_copy(copied, kind):
    functions = [f for f in entries(kind).values() if isinstance(f, TensorFunction)]
    assert len(functions) > 0
    assert copied(functions) == functions
