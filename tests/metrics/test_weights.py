"""Weights that broadcast count as the same weights written out, in every metric and loss.

Figures marked "Keras" were computed with Keras 3.15.1 (torch backend) by the same calls.
"""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import losses, metrics

SCORES = np.array(
    [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4], [0.05, 0.15, 0.8], [0.5, 0.4, 0.1]],
    np.float32,
)
LABELS = np.array([0, 2, 2, 1, 1])
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]
W = np.array([0.5, 2.0, 1.0, 0.25, 3.0], np.float32)

# Keras: with the weight 0.5 for all, and with one weight for each sample.
KERAS = {
    "MeanSquaredError": (0.235, 0.223765),
    "RootMeanSquaredError": (0.484768, 0.473039),
    "MeanAbsoluteError": (0.406667, 0.411111),
    "MeanAbsolutePercentageError": (61.333332, 55.802467),
    "MeanSquaredLogarithmicError": (0.1136, 0.108445),
    "LogCoshError": (0.109487, 0.105585),
    "CosineSimilarity": (0.576411, 0.584379),
    "BinaryCrossentropy": (0.654206, 0.615177),
    "CategoricalCrossentropy": (1.05807, 0.996404),
    "SparseCategoricalCrossentropy": (1.05807, 0.996404),
    "KLDivergence": (1.058067, 0.996401),
    "Poisson": (0.686023, 0.665468),
    "Hinge": (1.073333, 1.077778),
    "SquaredHinge": (1.308333, 1.301543),
    "CategoricalHinge": (1.09, 1.105556),
    "Accuracy": (0.6, 0.580247),
    "BinaryAccuracy": (0.6, 0.580247),
    "CategoricalAccuracy": (0.4, 0.222222),
    "SparseCategoricalAccuracy": (0.4, 0.222222),
    "TopKCategoricalAccuracy": (1.0, 1.0),
    "SparseTopKCategoricalAccuracy": (1.0, 1.0),
    "Precision": (0.333333, 0.181818),
    "Recall": (0.2, 0.074074),
    "AUC": (0.66, 0.609739),
    "TruePositives": (0.5, 0.5),
    "FalseNegatives": (2.0, 6.25),
    "FalsePositives": (1.0, 2.25),
    "TrueNegatives": (4.0, 11.25),
    "F1Score": ([0.666667, 0.0, 0.5], [0.25, 0.0, 0.470588]),
    "FBetaScore": ([0.666667, 0.0, 0.5], [0.25, 0.0, 0.470588]),
    "R2Score": (-0.040625, -0.37258),
    "IoU": (0.416667, 0.225275),
    "OneHotIoU": (0.416667, 0.225275),
    "MeanIoU": (0.277778, 0.150183),
    "OneHotMeanIoU": (0.277778, 0.150183),
    "BinaryIoU": (0.3125, 0.229694),
    "PrecisionAtRecall": (0.5, 0.472727),
    "RecallAtPrecision": (1.0, 1.0),
    "SensitivityAtSpecificity": (0.8, 0.666667),
    "SpecificityAtSensitivity": (0.7, 0.611111),
    "PearsonCorrelation": (0.352117, 0.29616),
    "ConcordanceCorrelation": (0.152679, 0.131697),
}
_COUNTED = {"num_classes": 3, "dtype": "float32"}
ARGUMENTS = {
    "TopKCategoricalAccuracy": {"k": 2},
    "SparseTopKCategoricalAccuracy": {"k": 2},
    "IoU": {"target_class_ids": [0, 2], "sparse_y_true": False, "sparse_y_pred": False} | _COUNTED,
    "OneHotIoU": {"target_class_ids": [0, 2]} | _COUNTED,
    "MeanIoU": {"sparse_y_true": False, "sparse_y_pred": False} | _COUNTED,
    "OneHotMeanIoU": _COUNTED,
    "BinaryIoU": {"dtype": "float32"},
    "PrecisionAtRecall": {"recall": 0.3},
    "RecallAtPrecision": {"precision": 0.3},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
}
NUMBERS = [0.5, np.float32(0.5), np.array(0.5), [0.5], [[0.5]]]
THOROUGH = {"MeanSquaredError", "RootMeanSquaredError", "Accuracy", "Precision"} | {
    *("AUC", "F1Score", "R2Score", "CosineSimilarity")
}
"""One metric of every form of taking weights; the others get one kind of each, to be quick."""
ONE_EACH = {"(N,)": W, "(N, 1)": W[:, None], "(1, N)": W[None]}


def measured(name, sample_weight):
    metric = getattr(metrics, name)(**ARGUMENTS.get(name, {}))
    y_true = LABELS if "Sparse" in name else ONE_HOT + 0.5 * ("Percentage" in name)
    metric.update_state(y_true, SCORES.round() if name == "Accuracy" else SCORES, sample_weight)
    return metric.result()


@pytest.mark.parametrize("name", KERAS)
def test_one_number_weighs_every_sample(name):
    kinds = NUMBERS if name in THOROUGH else [0.5]
    for weight in kinds:
        assert measured(name, weight) == pytest.approx(KERAS[name][0], rel=1e-5, abs=2e-6), weight


@pytest.mark.parametrize("name", KERAS)
def test_weights_of_samples_may_be_a_column_or_a_row(name):
    shapes = ONE_EACH if name in THOROUGH else ["(1, N)"]
    for shape in shapes:
        weight = ONE_EACH[shape]
        assert measured(name, weight) == pytest.approx(KERAS[name][1], rel=1e-5, abs=2e-6), shape


def test_every_metric_of_targets_is_among_these_cases():
    assert set(KERAS) == {
        name
        for name, cls in vars(metrics).items()
        if isinstance(cls, type)
        and issubclass(cls, metrics.Metric)
        and cls not in {metrics.Metric, metrics.MeanMetric, metrics.MeanMetricWrapper}
        and cls not in {metrics.Mean, metrics.Sum}
    }


@pytest.mark.parametrize(
    ("values", "weight", "mean", "total"),
    [
        ([1, 2, 3, 4], 0.5, 2.5, 5.0),
        ([1, 2, 3, 4], [[0.5]], 2.5, 5.0),
        ([1, 2, 3, 4], [[1], [0], [0], [2]], 3.0, 9.0),
        ([1, 2, 3, 4], [[1, 0, 0, 2]], 3.0, 9.0),
        ([[1, 2, 3], [4, 5, 6]], 0.5, 3.5, 10.5),
        ([[1, 2, 3], [4, 5, 6]], [1, 2], 4.0, 36.0),
        ([[1, 2, 3], [4, 5, 6]], [[1, 2, 3]], 3.833333, 46.0),
        ([[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5, 6]], 4.333333, 91.0),
        (5.0, 0.5, 5.0, 2.5),
        (5.0, [0.5], 5.0, 2.5),
    ],
)
def test_running_mean_and_sum_take_weights_that_broadcast(values, weight, mean, total):
    """Keras, where it takes them; it refuses a row for numbers, which is meant for each."""
    running = metrics.Mean(), metrics.Sum()
    for metric in running:
        metric.update_state(values, sample_weight=weight)
    assert [metric.result() for metric in running] == pytest.approx([mean, total], rel=1e-6)


def test_batches_of_one_weight_count_as_in_keras():
    """A number weighs the batch as a whole; an array of size 1 weighs each of its samples."""
    for weight, expected in ((0.5, 1.75), ([0.5], 2.2), ([[0.5]], 2.2)):
        mean = metrics.Mean()
        mean.update_state([1], sample_weight=weight)
        mean.update_state([1, 2, 3, 4], sample_weight=weight)
        assert mean.result() == pytest.approx(expected)


@pytest.mark.parametrize(
    "name", ["MeanAbsoluteError", "Accuracy", "BinaryAccuracy", "Precision", "F1Score", "R2Score"]
)
def test_weights_that_fit_no_samples_are_refused(name):
    with pytest.raises(ValueError, match=r"`sample_weight` of shape \(4,.*does not fit"):
        measured(name, np.ones(4))


def test_weights_of_elements_belong_to_values_of_elements():
    weight = np.arange(15.0).reshape(5, 3)
    hits = (SCORES > 0.5) == ONE_HOT
    expected = (hits * weight).mean(1).sum() / weight.mean(1).sum()
    assert measured("BinaryAccuracy", weight) == pytest.approx(expected)
    with pytest.raises(ValueError, match="does not fit values"):
        measured("CosineSimilarity", weight)
    with pytest.raises(ValueError, match=r"R2Score takes one weight for each sample.*3\)"):
        measured("R2Score", weight)


def test_weights_per_step_belong_to_steps_where_the_last_size_is_one():
    """The scores (N, T, 1) have one weight per step, (N, T), in counts of decisions, too."""
    scores = np.array([[[0.9], [0.2]], [[0.7], [0.6]]])
    weight = np.array([[1.0, 10.0], [100.0, 1000.0]])
    metric = metrics.TruePositives()
    assert metric(np.ones_like(scores), scores, weight) == 1101.0


T, P = np.array([2.0, 4, 6, 8]), np.array([1.0, 3, 2, 3])


def test_root_of_one_dimensional_data_is_that_of_all_elements():
    """sqrt((0 * 1 + 1 * 1 + 0 * 16 + 1 * 25) / 2), in one batch and in uneven ones."""
    weight = np.array([0.0, 1, 0, 1])
    for cuts in ([slice(0, 4)], [slice(0, 1), slice(1, 4)], [slice(0, 3), slice(3, 4)]):
        weighted, plain = (metrics.RootMeanSquaredError() for _ in range(2))
        for cut in cuts:
            weighted.update_state(T[cut], P[cut], weight[cut])
            plain.update_state(T[cut], P[cut])
        assert weighted.result() == pytest.approx(np.sqrt(13.0))
        assert plain.result() == pytest.approx(np.sqrt(((P - T) ** 2).mean()))


def test_root_takes_a_weight_for_each_element():
    weight = np.arange(15.0).reshape(5, 3)
    squares = (SCORES - ONE_HOT) ** 2
    expected = np.sqrt((squares * weight).sum() / weight.sum())
    assert measured("RootMeanSquaredError", weight) == pytest.approx(expected)


ELEMENTWISE = {
    "MeanSquaredError": (P - T) ** 2,
    "MeanAbsoluteError": np.abs(P - T),
    "MeanAbsolutePercentageError": 100 * np.abs(P - T) / T,
    "MeanSquaredLogarithmicError": (np.log1p(P) - np.log1p(T)) ** 2,
    "LogCoshError": np.log(np.cosh(P - T)),
    "Poisson": P - T * np.log(P + 1e-7),
    "Hinge": 1 - T * P / 100,
    "SquaredHinge": (1 - T * P / 100) ** 2,
    "BinaryCrossentropy": -(T / 10 * np.log(P / 10) + (1 - T / 10) * np.log(1 - P / 10)),
    "BinaryAccuracy": 1.0 * ((P > 0.5) == T),
    "Accuracy": 1.0 * (P == T),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_weights_of_one_dimensional_data_are_not_lost(name):
    """One weight for each element, in uneven batches; Keras refuses most of these calls."""
    weight = np.array([1.0, 2.0, 0.0, 4.0])
    scale = 10 if name in {"BinaryCrossentropy", "Hinge", "SquaredHinge"} else 1
    metric = getattr(metrics, name)()
    for cut in (slice(0, 1), slice(1, 4)):
        metric.update_state(T[cut] / scale, P[cut] / scale, weight[cut])
    expected = np.average(ELEMENTWISE[name], weights=weight)
    assert metric.result() == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("name", ["CosineSimilarity", "CategoricalHinge", "KLDivergence"])
def test_a_single_row_of_classes_has_no_weights_of_elements(name):
    with pytest.raises(ValueError, match=r"does not fit values of shape \(\)"):
        getattr(metrics, name)().update_state(T, P, np.ones(4))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("weight", NUMBERS, ids=repr)
def test_a_loss_takes_one_number_as_the_weight_of_every_sample(reduction, weight):
    loss = losses.MeanSquaredError(reduction=reduction)
    expected = loss(ONE_HOT, SCORES, np.full(5, 0.5))
    assert loss(ONE_HOT, SCORES, weight) == pytest.approx(expected)


def test_losses_take_weights_as_rows_and_columns_and_refuse_others():
    loss = losses.MeanSquaredError()
    values = ((SCORES - ONE_HOT) ** 2).mean(1)
    for weight in ONE_EACH.values():
        assert loss(ONE_HOT, SCORES, weight) == pytest.approx((values * W).mean(), rel=1e-6)
    with pytest.raises(ValueError, match=r"`sample_weight` of shape .*3\) does not fit values"):
        loss(ONE_HOT, SCORES, np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"`sample_weight` of shape \(4,\) does not fit values"):
        loss(ONE_HOT, SCORES, np.ones(4))
