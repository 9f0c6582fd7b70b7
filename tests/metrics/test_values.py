"""Every metric has, over batches of uneven sizes, the value of its definition over all samples."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import metrics, ops

rng = np.random.default_rng(0)
N, C, STEPS = 41, 6, 3
X = rng.normal(size=(N, C))
T = rng.normal(size=(N, C))
P = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)
S = 1 / (1 + np.exp(-X))
LABELS = rng.integers(0, C, N)
ONE_HOT = np.eye(C)[LABELS]
BITS = rng.integers(0, 2, (N, C))
SEQUENCES = rng.normal(size=(N, STEPS, C))
SEQUENCE_LABELS = rng.integers(0, C, (N, STEPS))
WEIGHTS = rng.random(N)
E = X - T


def rank_of_label(scores, labels):
    """How many scores are above that of the label."""
    own = np.take_along_axis(scores, labels[..., None], -1)
    return (scores > own).sum(-1)


CASES = {
    "accuracy": (metrics.Accuracy(), LABELS, np.roll(LABELS, 1), np.roll(LABELS, 1) == LABELS),
    "binary": (metrics.BinaryAccuracy(), BITS, S, (S > 0.5) == BITS),
    "binary, threshold": (metrics.BinaryAccuracy(threshold=0.3), BITS, S, (S > 0.3) == BITS),
    "binary of (N,) and (N, 1)": (
        metrics.BinaryAccuracy(),
        BITS[:, 0],
        S[:, :1],
        (S[:, 0] > 0.5) == BITS[:, 0],
    ),
    "categorical": (metrics.CategoricalAccuracy(), ONE_HOT, X, X.argmax(1) == LABELS),
    "sparse": (metrics.SparseCategoricalAccuracy(), LABELS, X, X.argmax(1) == LABELS),
    "sparse of (N, 1)": (
        metrics.SparseCategoricalAccuracy(),
        LABELS[:, None].astype(np.float32),
        X,
        X.argmax(1) == LABELS,
    ),
    "sparse of sequences": (
        metrics.SparseCategoricalAccuracy(),
        SEQUENCE_LABELS,
        SEQUENCES,
        SEQUENCES.argmax(-1) == SEQUENCE_LABELS,
    ),
    "top 2": (metrics.TopKCategoricalAccuracy(2), ONE_HOT, X, rank_of_label(X, LABELS) < 2),
    "sparse top 3": (
        metrics.SparseTopKCategoricalAccuracy(3),
        SEQUENCE_LABELS,
        SEQUENCES,
        rank_of_label(SEQUENCES, SEQUENCE_LABELS) < 3,
    ),
    "mse": (metrics.MeanSquaredError(), T, X, E**2),
    "mae": (metrics.MeanAbsoluteError(), T, X, np.abs(E)),
    "mape": (metrics.MeanAbsolutePercentageError(), T, X, 100 * np.abs(E / T)),
    "msle": (
        metrics.MeanSquaredLogarithmicError(),
        np.abs(T),
        np.abs(X),
        (np.log1p(np.abs(X)) - np.log1p(np.abs(T))) ** 2,
    ),
    "log_cosh": (metrics.LogCoshError(), T, X, np.log(np.cosh(E))),
    "cosine": (
        metrics.CosineSimilarity(),
        T,
        X,
        (T * X).sum(1) / np.linalg.norm(T, axis=1) / np.linalg.norm(X, axis=1),
    ),
    "bce": (
        metrics.BinaryCrossentropy(from_logits=True),
        BITS,
        X,
        -(BITS * np.log(S) + (1 - BITS) * np.log(1 - S)),
    ),
    "cce": (metrics.CategoricalCrossentropy(), ONE_HOT, P, -np.log(P[range(N), LABELS])),
    "sparse cce": (
        metrics.SparseCategoricalCrossentropy(),
        LABELS,
        P,
        -np.log(P[range(N), LABELS]),
    ),
    "kld": (metrics.KLDivergence(), P[::-1], P, (P[::-1] * np.log(P[::-1] / P)).sum(1)),
    "poisson": (metrics.Poisson(), np.abs(T), S, S - np.abs(T) * np.log(S + 1e-7)),
    "hinge": (metrics.Hinge(), 2 * BITS - 1, X, np.maximum(1 - (2 * BITS - 1) * X, 0)),
    "squared hinge": (
        metrics.SquaredHinge(),
        2 * BITS - 1,
        X,
        np.maximum(1 - (2 * BITS - 1) * X, 0) ** 2,
    ),
    "categorical hinge": (
        metrics.CategoricalHinge(),
        ONE_HOT,
        X,
        np.maximum(((1 - ONE_HOT) * X).max(1) - (ONE_HOT * X).sum(1) + 1, 0),
    ),
}


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", CASES)
def test_mean_over_batches_is_the_mean_over_samples(name, weights, by_batches):
    metric, y_true, y_pred, values = CASES[name]
    metric.reset_state()
    samples = values.reshape(N, -1).mean(axis=1)
    expected = np.average(samples, weights=weights)
    assert by_batches(metric, y_true, y_pred, weights) == pytest.approx(expected, rel=3e-6)


def test_root_is_taken_of_the_mean_over_all_batches(by_batches):
    expected = np.sqrt((E**2).mean())
    assert by_batches(metrics.RootMeanSquaredError(), T, X) == pytest.approx(expected, rel=1e-6)


def test_weights_per_step_of_a_sequence():
    """Steps of a sequence are averaged with their weights, then the sequences."""
    metric = metrics.MeanAbsoluteError()
    y = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    weight = np.array([[1.0, 0.0], [1.0, 1.0]])
    metric.update_state(np.zeros_like(y), y, weight)
    assert metric.result() == pytest.approx((1 + 3 + 4) / 3)


def test_first_of_equal_scores_wins():
    equal = np.zeros((3, 4))
    assert metrics.SparseCategoricalAccuracy()([0, 1, 3], equal) == pytest.approx(1 / 3)
    assert metrics.CategoricalAccuracy()(np.eye(4)[[0, 1, 3]], equal) == pytest.approx(1 / 3)


def test_equal_scores_at_the_edge_are_all_among_the_best():
    scores = [[3.0, 2.0, 2.0, 1.0]] * 4
    assert metrics.SparseTopKCategoricalAccuracy(2)([0, 1, 2, 3], scores) == 0.75


def test_nothing_seen_is_zero_and_reset_forgets():
    metric = metrics.MeanAbsoluteError()
    assert metric.result() == 0.0
    metric.update_state([[1.0]], [[3.0]])
    assert metric.result() == 2.0
    metric.reset_state()
    assert metric.result() == 0.0
    assert metric([[1.0]], [[2.0]]) == 1.0


def test_counts_stay_exact_over_an_epoch_of_digits():
    metric = metrics.BinaryAccuracy()
    y_true = np.zeros((2000, 1), np.float32)
    y_pred = np.zeros((2000, 1), np.float32)
    y_pred[0] = 1.0
    for _ in range(30):
        metric.update_state(y_true, y_pred)
    assert metric.result() == 1999 / 2000


def test_result_reads_accumulators_from_elsewhere():
    state = {"total": np.float32(3.0), "count": np.float32(4.0)}
    assert metrics.CategoricalAccuracy().result(state) == 0.75
    accumulators = metrics.CategoricalAccuracy().variables
    assert [variable.name for variable in accumulators] == ["total", "count"]


def test_double_accumulators_on_request():
    metric = metrics.MeanAbsoluteError(dtype="float64")
    metric.update_state([[0.0]], [[2.0**25]])
    metric.update_state([[0.0]], [[1.0]])
    assert metric.result() == (2.0**25 + 1) / 2


def test_running_mean_and_sum():
    mean, total = metrics.Mean(), metrics.Sum()
    for part in np.split(X, (1, 7)):
        mean.update_state(part)
        total.update_state(part)
    assert mean.result() == pytest.approx(X.mean(), rel=1e-5)
    assert total.result() == pytest.approx(X.sum(), rel=1e-5)
    total.reset_state()
    total.update_state([1.0, 3.0, 5.0, 7.0], sample_weight=[1, 1, 0, 0])
    assert total.result() == 4.0
    mean.reset_state()
    mean.update_state([1.0, 3.0], sample_weight=[3.0, 1.0])
    mean.update_state(6.0)
    assert mean.result() == pytest.approx((3 + 3 + 6) / 5)


@pytest.mark.parametrize("aggregation", ["uniform_average", "variance_weighted_average", None])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_r2_agrees_with_scikit_learn_far_from_zero(aggregation, weights, by_batches):
    sklearn = pytest.importorskip("sklearn.metrics")
    scale = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0])
    y_true = (T * scale + 100).astype(np.float32)
    y_pred = (y_true + 0.3 * X).astype(np.float32)
    how = {"variance_weighted_average": "variance_weighted", None: "raw_values"}
    expected = sklearn.r2_score(
        y_true.astype(float),
        y_pred.astype(float),
        sample_weight=weights,
        multioutput=how.get(aggregation, aggregation),
    )
    metric = metrics.R2Score(aggregation)
    np.testing.assert_allclose(by_batches(metric, y_true, y_pred, weights), expected, rtol=1e-4)


class Seen(metrics.Metric):
    """The sum of the predictions, from 1 on."""

    def __init__(self, name="seen", dtype=None):
        super().__init__(name, dtype)
        self.total = self.add_variable((), "zeros", name="total")
        self.reset_state()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(ops.sum(y_pred))

    def result(self):
        return self.total * 1.0

    def reset_state(self):
        for variable in self.variables:
            variable.assign(1.0)


def test_a_reset_of_ones_own_says_where_an_epoch_begins_and_reading_resets_nothing():
    metric = Seen()
    metric.update_state([0.0], [2.0])
    metric.update_state([0.0], [3.0])
    assert metric.variables[0].numpy() == 6.0
    x = np.ones((4, 1), np.float32)
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    model.compile("sgd", "mse", metrics=[metric])
    assert model.evaluate(x, x, verbose=0) == [0.0, 5.0]
    assert model.evaluate(x, x, verbose=0) == [0.0, 5.0]
    metric.reset_state()
    assert metric.result() == 1.0
