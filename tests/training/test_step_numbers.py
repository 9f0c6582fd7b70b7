"""A training step computes what the formulas say: backward pass and update by hand, in float64."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers

RATE, BETA1, BETA2, EPSILON = 0.05, 0.9, 0.999, 1e-7


def make_data(samples: int = 21) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.normal(size=(samples, 4)), rng.integers(0, 3, samples)


def make_model(optimizer: keras.optimizers.Optimizer) -> keras.Sequential:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.01)),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def loss_and_gradients(weights, x, y, sample_weight=None):
    """Cross-entropy of a two-layer net, and its derivatives, by the chain rule."""
    w1, b1, w2, b2 = weights
    hidden = np.tanh(x @ w1 + b1)
    logits = hidden @ w2 + b2
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = shifted / shifted.sum(axis=1, keepdims=True)
    scale = np.ones(len(x)) if sample_weight is None else sample_weight
    loss = np.mean(scale * -np.log(p[np.arange(len(x)), y])) + 0.01 * np.sum(w1**2)
    d_logits = (p - np.eye(3)[y]) * scale[:, None] / len(x)
    d_hidden = d_logits @ w2.T * (1 - hidden**2)
    gradients = [
        x.T @ d_hidden + 0.02 * w1,
        d_hidden.sum(axis=0),
        hidden.T @ d_logits,
        d_logits.sum(axis=0),
    ]
    return loss, gradients, p


class NumpySGD:
    def step(self, weights, gradients):
        return [w - RATE * g for w, g in zip(weights, gradients, strict=True)]


class NumpyAdam:
    """Keras's form: epsilon joins the root of the uncorrected second moment."""

    def __init__(self):
        self.t, self.m, self.v = 0, None, None

    def step(self, weights, gradients):
        self.t += 1
        if self.m is None:
            self.m = [np.zeros_like(g) for g in gradients]
            self.v = [np.zeros_like(g) for g in gradients]
        self.m = [BETA1 * m + (1 - BETA1) * g for m, g in zip(self.m, gradients, strict=True)]
        self.v = [BETA2 * v + (1 - BETA2) * g**2 for v, g in zip(self.v, gradients, strict=True)]
        alpha = RATE * np.sqrt(1 - BETA2**self.t) / (1 - BETA1**self.t)
        return [
            w - alpha * m / (np.sqrt(v) + EPSILON)
            for w, m, v in zip(weights, self.m, self.v, strict=True)
        ]


OPTIMIZERS = {
    "sgd": (keras.optimizers.SGD, NumpySGD),
    "adam": (keras.optimizers.Adam, NumpyAdam),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_epochs_equal_the_steps_by_hand_and_the_smaller_last_batch_counts(name, weighted):
    ours, theirs = OPTIMIZERS[name]
    x, y = make_data()
    sample_weight = np.random.default_rng(5).uniform(0.2, 2, len(x)) if weighted else None
    model = make_model(ours(RATE))
    weights = [w.astype(np.float64) for w in model.get_weights()]
    optimizer = theirs()
    losses = []
    for _ in range(2):
        sums = []
        for start in range(0, len(x), 8):  # 8, 8, 5
            rows = slice(start, start + 8)
            part = None if sample_weight is None else sample_weight[rows]
            loss, gradients, _ = loss_and_gradients(weights, x[rows], y[rows], part)
            weights = optimizer.step(weights, gradients)
            sums.append(loss * len(x[rows]))
        losses.append(sum(sums) / len(x))
    history = model.fit(
        x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, sample_weight=sample_weight
    )
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
    for got, want in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6)
    assert model.optimizer.iterations == 6


def test_evaluate_on_uneven_batches_is_that_of_the_whole_set():
    x, y = make_data(23)
    model = make_model(keras.optimizers.SGD(RATE))
    weights = [w.astype(np.float64) for w in model.get_weights()]
    loss, _, p = loss_and_gradients(weights, x, y)
    accuracy = np.mean(p.argmax(axis=1) == y)
    np.testing.assert_allclose(
        model.evaluate(x, y, batch_size=7, verbose=0), [loss, accuracy], rtol=1e-5
    )
    assert model.evaluate(x, y, batch_size=7, verbose=0) == model.evaluate(
        iter([(x[:7], y[:7]), (x[7:14], y[7:14]), (x[14:21], y[14:21]), (x[21:], y[21:])]),
        verbose=0,
    )


def test_class_weight_is_the_sample_weight_of_each_class():
    x, y = make_data()
    class_weight = {0: 1.0, 2: 3.0}  # class 1 is missing: 1
    per_sample = np.array([1.0, 1.0, 3.0])[y]
    results = []
    for options in ({"class_weight": class_weight}, {"sample_weight": per_sample}):
        keras.set_random_seed(1)
        model = make_model(keras.optimizers.SGD(RATE))
        history = model.fit(x, y, epochs=2, batch_size=8, verbose=0, **options).history
        results.append((history, model.get_weights()))
    assert results[0][0] == results[1][0]
    for a, b in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_array_equal(a, b)
    model = make_model(keras.optimizers.SGD(RATE))
    weights = [w.astype(np.float64) for w in model.get_weights()]
    loss, gradients, _ = loss_and_gradients(weights, x, y, per_sample)
    assert model.train_on_batch(x, y, class_weight=class_weight)[0] == pytest.approx(loss, 1e-5)
    for got, w, g in zip(model.get_weights(), weights, gradients, strict=True):
        np.testing.assert_allclose(got, w - RATE * g, rtol=1e-5, atol=1e-6)


def test_sample_weight_touches_weighted_metrics_only():
    x, y = make_data()
    weight = np.where(y == 1, 0.0, 1.0)
    model = make_model("sgd")
    model.compile(
        "sgd", "sparse_categorical_crossentropy", ["accuracy"], weighted_metrics=["accuracy"]
    )
    hits = model.predict(x, verbose=0).argmax(axis=1) == y
    logs = model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
    assert logs["accuracy"] == pytest.approx(hits.mean())
    assert logs["weighted_accuracy"] == pytest.approx(hits[y != 1].mean())
    assert model.metrics_names == ["loss", "accuracy", "weighted_accuracy"]


@pytest.mark.parametrize(
    "name",
    ["sgd", "adam", "adamw", "rmsprop", "nadam", "adamax", "adagrad", "adadelta", "lion", "ftrl"],
)
def test_every_optimizer_brings_the_loss_down(name):
    x = np.random.default_rng(0).normal(size=(64, 3))
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(name, "mse")
    model.optimizer.learning_rate = {"adadelta": 20.0, "adagrad": 0.3}.get(name, 0.05)
    history = model.fit(x, x @ [[1.0], [-2.0], [0.5]], epochs=8, batch_size=16, verbose=0).history
    assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_loss_includes_the_regularizers_of_trained_weights():
    dense = layers.Dense(1, use_bias=False, kernel_initializer="ones", kernel_regularizer="l2")
    model = keras.Sequential([keras.Input((1,)), dense])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = np.ones((4, 1)), np.zeros((4, 1))
    assert model.fit(x, y, verbose=0).history["loss"] == pytest.approx([1.01])
    assert model.evaluate(x, y, verbose=0) == pytest.approx(1.01)
    dense.trainable = False
    model.compile("sgd", "mse")
    assert model.evaluate(x, y, verbose=0) == pytest.approx(1.0)


def test_activity_regularizer_counts_in_training_and_measuring_but_not_in_the_file(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(
                *(1,), kernel_initializer="ones", activity_regularizer=keras.regularizers.L1(0.5)
            ),
        ]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = np.ones((3, 2)), np.full((3, 1), 2.0)
    assert model.train_on_batch(x, y) == pytest.approx(0.5 * 6 / 3)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(0.5 * 6 / 3)
    import onnx

    for proto in (model.to_onnx(), _exported(model, tmp_path / "m.onnx", onnx)):
        assert [node.op_type for node in proto.graph.node] == ["Gemm"]


def _exported(model, path, onnx):
    model.export(path)
    return onnx.load(path)


def test_constraints_hold_after_every_step():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, kernel_constraint=keras.constraints.MaxNorm(0.5))]
    )
    model.compile(keras.optimizers.SGD(1.0), "mse")
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(32, 3)), 10 * rng.normal(size=(32, 2)), verbose=0, batch_size=8)
    norms = np.linalg.norm(model.get_weights()[0], axis=0)
    assert np.all(norms <= 0.5 + 1e-5)
    np.testing.assert_allclose(norms, 0.5, rtol=1e-4)  # the pull is outwards, so they bind


def test_batch_normalization_moves_its_averages_as_keras_does():
    x, start = np.array([[1.0, 2.0], [3.0, 6.0]]), layers.BatchNormalization(momentum=0.5)
    model = keras.Sequential([keras.Input((2,)), start])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, np.zeros((2, 2)), verbose=0)
    np.testing.assert_allclose(start.moving_mean.numpy(), [1.0, 2.0])
    np.testing.assert_allclose(start.moving_variance.numpy(), [1.0, 2.5])
    for call in (lambda bn: bn(x, training=True), lambda bn: keras.Sequential([bn])(x, True)):
        layer = layers.BatchNormalization(momentum=0.5)
        call(layer)
        np.testing.assert_allclose(layer.moving_mean.numpy(), [1.0, 2.0])
        np.testing.assert_allclose(layer.moving_variance.numpy(), [1.0, 2.5])


def test_frozen_batch_normalization_infers_and_keeps_its_averages():
    x, frozen = np.array([[1.0, 2.0], [3.0, 6.0]]), layers.BatchNormalization()
    model = keras.Sequential([keras.Input((2,)), frozen])
    frozen.moving_mean.assign([1.0, 2.0])
    frozen.moving_variance.assign([1.0, 2.5])
    frozen.trainable = False
    expected = [[0.0, 0.0], [1.999, 2.5293]]
    np.testing.assert_allclose(model(x, training=True), expected, atol=1e-4)
    model.compile("sgd", "mse")
    assert model.train_on_batch(x, expected) == pytest.approx(0.0, abs=1e-7)
    np.testing.assert_array_equal(frozen.moving_mean.numpy(), np.float32([1.0, 2.0]))
    np.testing.assert_array_equal(frozen.moving_variance.numpy(), np.float32([1.0, 2.5]))


def test_an_optimizer_lets_go_of_the_models_it_trained():
    optimizer = keras.optimizers.SGD(0.1)
    models = [keras.Sequential([keras.Input((2,)), layers.Dense(1)]) for _ in range(2)]
    for model in models:
        model.compile(optimizer, "mse")
        model.fit(np.ones((4, 2)), np.ones((4, 1)), batch_size=2, epochs=1, verbose=0)
    kernels = [weakref.ref(model.weights[0]) for model in models]
    taken = optimizer.iterations
    models.clear()
    del model
    for _ in range(3):  # what a finalizer lets go of is found by the next collection
        gc.collect()
    assert [kernel() for kernel in kernels] == [None, None]
    assert optimizer.iterations == taken
