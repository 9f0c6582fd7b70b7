"""Counts of right and wrong decisions, and what is made of them, agree with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import metrics

sklearn = pytest.importorskip("sklearn.metrics")

rng = np.random.default_rng(1)
N, C = 60, 4
BITS = rng.integers(0, 2, (N, C))
SCORES = np.clip(0.3 * BITS + 0.7 * rng.random((N, C)), 0, 1).astype(np.float32)
LABELS = rng.integers(0, C, N)
ONE_HOT = np.eye(C)[LABELS]
PROBABILITIES = rng.dirichlet(np.ones(C), N).astype(np.float32)
WEIGHTS = rng.random(N)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("metric", "peer"),
    [(metrics.Precision, sklearn.precision_score), (metrics.Recall, sklearn.recall_score)],
)
def test_precision_and_recall(metric, peer, weights, by_batches):
    expected = peer(BITS[:, 0], SCORES[:, 0] > 0.5, sample_weight=weights)
    assert by_batches(metric(), BITS[:, 0], SCORES[:, 0], weights) == pytest.approx(expected)
    spread = None if weights is None else np.repeat(weights, C)
    expected = peer(BITS.ravel(), SCORES.ravel() > 0.5, sample_weight=spread)
    assert by_batches(metric(), BITS, SCORES, weights) == pytest.approx(expected)


def test_several_thresholds_give_an_array(by_batches):
    levels = [0.2, 0.5, 0.8]
    expected = [sklearn.precision_score(BITS.ravel(), SCORES.ravel() > t) for t in levels]
    actual = by_batches(metrics.Precision(thresholds=levels), BITS, SCORES)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_one_class_alone(by_batches):
    expected = sklearn.recall_score(BITS[:, 2], SCORES[:, 2] > 0.5)
    assert by_batches(metrics.Recall(class_id=2), BITS, SCORES) == pytest.approx(expected)


def test_best_k_count_as_positive(by_batches):
    best = np.argsort(-PROBABILITIES, axis=1)[:, :2]
    expected = np.mean([label in row for label, row in zip(LABELS, best, strict=True)])
    actual = by_batches(metrics.Recall(top_k=2), ONE_HOT, PROBABILITIES)
    assert actual == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "place"),
    [
        (metrics.TrueNegatives, (0, 0)),
        (metrics.FalsePositives, (0, 1)),
        (metrics.FalseNegatives, (1, 0)),
        (metrics.TruePositives, (1, 1)),
    ],
)
def test_counts(metric, place, by_batches):
    matrix = sklearn.confusion_matrix(BITS.ravel(), SCORES.ravel() > 0.3)
    assert by_batches(metric(0.3), BITS, SCORES) == matrix[place]
    matrix = sklearn.confusion_matrix(BITS[:, 0], SCORES[:, 0] > 0.5, sample_weight=WEIGHTS)
    actual = by_batches(metric(), BITS[:, 0], SCORES[:, :1], WEIGHTS)
    assert actual == pytest.approx(matrix[place], rel=1e-5)


def test_undefined_precision_is_zero():
    assert metrics.Precision()([1, 1], [0.1, 0.2]) == 0.0


def test_threshold_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"range \[0, 1\]. Received: \[-0.5, 2.0\]"):
        metrics.Recall(thresholds=[-0.5, 0.3, 2.0])


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_roc_area_is_exact_where_thresholds_separate_all_scores(weights, by_batches):
    scores = (rng.integers(0, 50, N) + 0.5) / 50
    expected = sklearn.roc_auc_score(BITS[:, 0], scores, sample_weight=weights)
    metric = metrics.AUC(num_thresholds=51)
    assert by_batches(metric, BITS[:, 0], scores, weights) == pytest.approx(expected, rel=1e-5)


def test_roc_area_from_logits(by_batches):
    scores = (rng.integers(0, 50, N) + 0.5) / 50
    expected = sklearn.roc_auc_score(BITS[:, 0], scores)
    metric = metrics.AUC(num_thresholds=51, from_logits=True)
    logits = np.log(scores / (1 - scores))
    assert by_batches(metric, BITS[:, 0], logits) == pytest.approx(expected, rel=1e-5)


def counts_at(thresholds, y_true, scores):
    """True and false positives at each threshold."""
    above = scores[None, :] > np.asarray(thresholds)[:, None]
    return (above & (y_true == 1)).sum(1), (above & (y_true == 0)).sum(1)


def test_precision_recall_area_is_the_integral_with_counts_growing_linearly(by_batches):
    y_true, scores = BITS[:, 0], SCORES[:, 0]
    thresholds = [-1e-7, 0.25, 0.5, 0.75, 1 + 1e-7]
    tp, fp = counts_at(thresholds, y_true, scores)
    area = 0.0
    for i in range(len(thresholds) - 1):
        part = (np.arange(100_000) + 0.5) / 100_000
        t = tp[i + 1] + part * (tp[i] - tp[i + 1])
        f = fp[i + 1] + part * (fp[i] - fp[i + 1])
        area += np.mean(t / np.maximum(t + f, 1e-12)) * (tp[i] - tp[i + 1]) / y_true.sum()
    metric = metrics.AUC(num_thresholds=5, curve="PR")
    assert by_batches(metric, y_true, scores) == pytest.approx(area, rel=1e-4)


@pytest.mark.parametrize(("method", "pick"), [("minoring", min), ("majoring", max)])
def test_rectangles_below_and_above_the_curve(method, pick, by_batches):
    y_true, scores = BITS[:, 0], SCORES[:, 0]
    tp, fp = counts_at([-1e-7, 0.2, 0.6, 1 + 1e-7], y_true, scores)
    recall, rate = tp / tp[0], fp / fp[0]
    expected = sum(
        (rate[i] - rate[i + 1]) * pick(recall[i], recall[i + 1]) for i in range(len(tp) - 1)
    )
    metric = metrics.AUC(thresholds=[0.6, 0.2], summation_method=method)
    assert by_batches(metric, y_true, scores) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"curve": "PRX"}, "Invalid `curve`: PRX. Expected one of ROC, PR"),
        ({"summation_method": "x"}, "Invalid `summation_method`: x"),
        ({"num_thresholds": 1}, "an integer > 1. Received: num_thresholds=1"),
    ],
)
def test_wrong_arguments_of_auc_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        metrics.AUC(**arguments)


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_f_scores(average, weights, by_batches):
    predicted = PROBABILITIES.argmax(1)
    expected = sklearn.f1_score(LABELS, predicted, average=average, sample_weight=weights)
    actual = by_batches(metrics.F1Score(average), ONE_HOT, PROBABILITIES, weights)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    expected = sklearn.fbeta_score(BITS, SCORES > 0.4, beta=2.0, average=average)
    actual = by_batches(metrics.FBetaScore(average, 2.0, threshold=0.4), BITS, SCORES)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_f_score_needs_rows_of_classes():
    with pytest.raises(ValueError, match=r"Received: y_true.shape=\(2,\), y_pred.shape=\(2,\)"):
        metrics.F1Score()([0, 1], [0.1, 0.9])
    with pytest.raises(ValueError, match="average=foo"):
        metrics.F1Score("foo")
