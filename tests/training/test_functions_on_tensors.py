"""Losses, metrics, regularizers, constraints and activations on tensors equal those that emit."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import seqonnx as keras
from seqonnx import activations, constraints, layers, losses, metrics, regularizers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 3)).astype(np.float32)
Y = RNG.normal(size=(6, 2)).astype(np.float32)


class OwnLoss(losses.Loss):
    def call(self, y_true, y_pred):
        return abs(y_true - y_pred)[:, 0]


class OwnRegularizer(regularizers.Regularizer):
    def __init__(self, factor=0.5):
        self.factor = factor

    def __call__(self, x):
        return x[0, 1] * self.factor


class OwnConstraint(constraints.Constraint):
    def __call__(self, w):
        return w * 0.5


class Seen(metrics.Metric):
    """The sum of the first predictions, in Keras's spelling."""

    def __init__(self, name="seen", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_variable((), "zeros", name="total")
        self.batches = self.add_weight(name="batches")

    def update_state(self, y_true, y_pred, sample_weight=None):
        first = y_pred[0, 0]
        self.total.assign_add(first if sample_weight is None else first * sample_weight[0])
        self.batches.assign(self.batches + 1)

    def result(self):
        return self.total / self.batches


def fitted(**compiled):
    keras.set_random_seed(3)
    options = {key: compiled.pop(key) for key in tuple(compiled) if key.startswith(("k_", "act"))}
    dense = layers.Dense(
        2,
        options.get("activation"),
        kernel_regularizer=options.get("k_regularizer"),
        kernel_constraint=options.get("k_constraint"),
    )
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(keras.optimizers.SGD(0.1), **({"loss": "mse"} | compiled))
    history = model.fit(X, Y, epochs=2, batch_size=3, shuffle=False, verbose=0).history
    return [*history.values(), *(w.tolist() for w in model.get_weights())]


PAIRS = [
    (
        {"loss": lambda y_true, y_pred: (y_true - y_pred)[:, 0] ** 2},
        {"loss": lambda op, t, p: op.Pow(op.Gather(op.Sub(t, p), 0, axis=1), 2.0)},
    ),
    (
        {"loss": OwnLoss()},
        {"loss": lambda op, t, p: op.Gather(op.Abs(op.Sub(t, p)), 0, axis=1)},
    ),
    (
        {"k_regularizer": OwnRegularizer()},
        {"k_regularizer": lambda op, x: op.Mul(op.Gather(op.Gather(x, 0, axis=0), 1, axis=0), 0.5)},
    ),
    ({"k_regularizer": lambda w: w[0, 1] * 0.5}, {"k_regularizer": OwnRegularizer()}),
    ({"k_constraint": OwnConstraint()}, {"k_constraint": lambda op, w: op.Mul(w, 0.5)}),
    ({"k_constraint": lambda w: w * 0.5}, {"k_constraint": OwnConstraint()}),
    ({"activation": lambda x: x * x}, {"activation": lambda op, x: op.Mul(x, x)}),
    ({"activation": activations.relu}, {"activation": "relu"}),
]


@pytest.mark.parametrize(("on_tensors", "emitting"), PAIRS)
def test_training_is_the_same_in_both_spellings(on_tensors, emitting):
    assert str(fitted(**on_tensors)) == str(fitted(**emitting))


def test_a_metric_on_tensors_counts_in_training_and_on_arrays():
    metric = Seen()
    metric.update_state(Y, X)
    metric.update_state(Y, 3 * X, sample_weight=[2.0] * 6)
    assert metric.result() == pytest.approx((X[0, 0] + 6 * X[0, 0]) / 2, rel=1e-6)
    metric.reset_state()
    assert metric.batches.numpy() == 0
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[Seen()])
    first = model(X)[[0, 2, 4], 0]
    history = model.fit(X, Y, batch_size=2, epochs=2, shuffle=False, verbose=0).history
    assert history["seen"] == pytest.approx([first.mean()] * 2, rel=1e-5)
    assert model.metrics[0].batches.numpy() == 3
    by_name = dict(zip(model.metrics_names, model.evaluate(X, Y, 2, verbose=0), strict=True))
    assert by_name["seen"] == pytest.approx(first.mean(), rel=1e-5)


def test_a_function_on_tensors_is_a_metric():
    def largest(y_true, y_pred):
        return abs(y_true - y_pred)[:, 0]

    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[largest], weighted_metrics=[largest])
    weights = np.arange(6.0)
    error = np.abs(Y - model(X))[:, 0]
    logs = model.fit(X, Y, sample_weight=weights, verbose=0).history
    assert logs["largest"][0] == pytest.approx(error.mean(), rel=1e-5)
    assert logs["weighted_largest"][0] == pytest.approx(
        np.average(error, weights=weights), rel=1e-5
    )


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        (lambda: activations.relu([-1.0, 2.0]), [0.0, 2.0]),
        (lambda: activations.get("sigmoid")(np.zeros(2)), [0.5, 0.5]),
        (lambda: activations.softmax([[1.0, 1.0]]), [[0.5, 0.5]]),
        (lambda: regularizers.L2(0.5)([[1.0, 2.0]]), 2.5),
        (lambda: regularizers.get(lambda x: x[0] * 2)(np.array([3.0])), 6.0),
        (lambda: constraints.NonNeg()([-1.0, 2.0]), [0.0, 2.0]),
        (lambda: constraints.get(lambda w: w * 2)([1.0]), [2.0]),
        (lambda: losses.mean_squared_error([[1.0, 2.0]], [[1.0, 4.0]]), [2.0]),
        (lambda: losses.sparse_categorical_crossentropy([1], [[0.5, 0.5]]), [np.log(2.0)]),
        (lambda: OwnLoss()([[1.0], [2.0]], [[3.0], [5.0]]), 2.5),
    ],
)
def test_they_are_called_on_arrays(called, expected):
    np.testing.assert_allclose(called(), expected, rtol=1e-6)


def test_a_loss_is_called_inside_of_a_call():
    class Reconstruction(layers.Layer):
        def call(self, x):
            self.add_loss(losses.MeanSquaredError()(x, x * 0.0))
            return x

    model = keras.Sequential([keras.Input((3,)), Reconstruction()])
    model.compile("sgd", "mse")
    loss = model.evaluate(X, X, batch_size=6, verbose=0)
    assert loss == pytest.approx(np.mean(X**2), rel=1e-5)


def test_a_loss_on_symbolic_tensors_says_where_to_call_it():
    with pytest.raises(TypeError, match=r"Only layers and the functions.*`Lambda` layer"):
        regularizers.L2()(keras.Input((2,)))


def test_metrics_that_layers_update_in_their_calls_are_in_the_logs(tmp_path):
    class Seeing(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.mean = metrics.Mean(name="mean_input")
            self.right = metrics.BinaryAccuracy(name="positive")

        def call(self, x):
            self.mean.update_state(abs(x))
            self.right.update_state(x * 0.0 + 1.0, x)
            return x

    def expected(x):
        return {"mean_input": np.abs(x).mean(), "positive": np.mean(x > 0.5)}

    other = 2.0 * X[:4]
    model = keras.Sequential([keras.Input((3,)), Seeing(), layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    history = model.fit(
        X, Y, batch_size=2, epochs=2, validation_data=(other, Y[:4]), verbose=0
    ).history
    for name, value in expected(X).items():
        assert history[name] == pytest.approx([value] * 2, rel=1e-5)
    for name, value in expected(other).items():
        assert history[f"val_{name}"] == pytest.approx([value] * 2, rel=1e-5)
    assert model.metrics_names == ["loss", "mae", "mean_input", "positive"]
    assert [metric.name for metric in model.metrics] == ["mae", "mean_input", "positive"]
    logs = model.evaluate(X, Y, 4, verbose=0, return_dict=True)
    assert logs["mean_input"] == pytest.approx(np.abs(X).mean(), rel=1e-5)
    model.export(tmp_path / "m.onnx")  # and no state of a metric
    graph = onnx.load(tmp_path / "m.onnx").graph
    assert (len(graph.input), len(graph.output)) == (1, 1)
