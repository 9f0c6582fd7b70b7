"""Metrics of one's own in Keras's spelling count in training as they do on arrays."""

from __future__ import annotations

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers, metrics, ops

rng = np.random.default_rng(5)
X = rng.random((11, 3)).astype("float32")
Y = np.eye(3, dtype="float32")[rng.integers(0, 3, 11)]
LABELS = Y.argmax(-1)
W = rng.random(11).astype("float32")


class OfScores(metrics.MeanIoU):
    """A metric of labels that is given scores."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(ops.argmax(y_true, -1), ops.argmax(y_pred, -1), sample_weight)


class Root(metrics.Mean):
    """A mean with a value of its own."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(ops.square(y_true - y_pred), sample_weight)

    def result(self):
        return ops.sqrt(super().result())


class Both(metrics.Metric):
    """Made of two others, which are attributes."""

    def __init__(self, name="both", **kwargs):
        super().__init__(name=name, **kwargs)
        self.precision = metrics.Precision()
        self.parts = [metrics.Recall(), metrics.Mean()]

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.precision.update_state(y_true, y_pred, sample_weight)
        self.parts[0].update_state(y_true, y_pred, sample_weight)
        self.parts[1].update_state(ops.sum(y_pred, axis=-1))

    def result(self):
        p, r = self.precision.result(), self.parts[0].result()
        return 2 * p * r / (p + r)

    def reset_state(self):
        self.precision.reset_state()
        self.parts[0].reset_state()


class Peak(metrics.Precision):
    """Counts in the spelling with `op`, on top of a metric of the package."""

    def update(self, op, state, y_true, y_pred, sample_weight=None):
        return super().update(op, state, y_true, op.Mul(y_pred, 0.0), sample_weight)


def root(weight):
    squares = ((X - Y) ** 2).mean(1)
    return np.sqrt(np.average(squares, weights=weight))


def both(weight):
    hits = np.full(11, 1.0) if weight is None else weight
    chosen = X > 0.5
    tp = (hits[:, None] * chosen * Y).sum()
    precision = tp / (hits[:, None] * chosen).sum()
    recall = tp / (hits[:, None] * Y).sum()
    return 2 * precision * recall / (precision + recall)


def iou(weight):
    hits = np.full(11, 1.0) if weight is None else weight
    guess = X.argmax(-1)
    each = [
        (hits * ((c == LABELS) & (guess == c))).sum()
        / (hits * ((c == LABELS) | (guess == c))).sum()
        for c in range(3)
    ]
    return np.mean(each)


CASES = {
    "a base of the package": (lambda: OfScores(3, dtype="float32"), iou),
    "a running mean": (Root, root),
    "metrics in attributes": (Both, both),
    "operators": (Peak, lambda weight: 0.0),
}


@pytest.mark.parametrize("weight", [None, W], ids=["plain", "weighted"])
@pytest.mark.parametrize("name", CASES)
def test_own_metric_counts_alike_on_arrays_and_in_a_model(name, weight):
    make, definition = CASES[name]
    metric = make()
    for part in (slice(0, 4), slice(4, 11)):
        metric.update_state(Y[part], X[part], None if weight is None else weight[part])
    assert metric.result() == pytest.approx(definition(weight), rel=1e-5)
    metric.reset_state()
    metric = make()
    unchanging = layers.Dense(3, use_bias=False, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((3,)), unchanging])
    kind = "metrics" if weight is None else "weighted_metrics"
    model.compile(keras.optimizers.SGD(0.0), "mse", **{kind: [metric]})
    for _ in range(2):
        logs = model.evaluate(X, Y, 4, 0, weight, return_dict=True)
        assert logs[metric.name] == pytest.approx(definition(weight), rel=1e-5)
    history = model.fit(X, Y, 4, 2, verbose=0, sample_weight=weight).history
    assert history[metric.name] == pytest.approx([definition(weight)] * 2, rel=1e-5)
    assert metric.result() == pytest.approx(definition(weight), rel=1e-5)


def test_metrics_in_attributes_belong_to_their_owner():
    metric = Both()
    owned = [*metric.precision.variables, *(v for m in metric.parts for v in m.variables)]
    assert metric.variables == owned
    metric.update_state(Y, X)
    assert metric.parts[1].result() == pytest.approx(X.sum(1).mean())
    metrics.Metric.reset_state(metric)
    assert [float(np.sum(v)) for v in metric.variables] == [0.0] * len(owned)


def test_attributes_show_what_a_training_has_accumulated():
    metric = metrics.Precision()
    unchanging = layers.Dense(3, use_bias=False, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((3,)), unchanging])
    model.compile("sgd", "mse", metrics=[metric])
    model.evaluate(X, Y, 4, 0)
    assert metric.true_positives.numpy() == ((X > 0.5) * Y).sum()
    assert metric(Y, X) == pytest.approx(metric.result())
    assert metric.true_positives.numpy() == 2 * ((X > 0.5) * Y).sum()
    metric.true_positives.assign([0.0])
    assert metric.result() == 0.0


def test_stateless_calls_leave_the_accumulators_alone():
    metric = metrics.MeanAbsoluteError()
    metric.update_state([[1.0]], [[3.0]])
    given = metric.stateless_update_state([4.0, 1.0], [[0.0]], [[2.0]])
    assert [float(value) for value in given] == [6.0, 2.0]
    assert metric.stateless_result(given) == 3.0
    assert [float(value) for value in metric.stateless_reset_state()] == [0.0, 0.0]
    assert metric.result() == 2.0
    with pytest.raises(ValueError, match=r"\['total', 'count'\]\. Received: 1 arrays"):
        metric.stateless_result([1.0])


def test_calling_updates_and_returns_the_value():
    mean = metrics.Mean()
    assert mean([1.0, 3.0]) == 2.0
    assert mean([8.0], sample_weight=[2.0]) == 5.0
    assert metrics.Sum()([[1.0, 2.0], [3.0, 4.0]]) == 10.0
    assert metrics.MeanSquaredError()([[1.0], [1.0]], [[1.0], [3.0]], sample_weight=[1, 3]) == 3.0
    assert metrics.AUC()(y_true=[0, 1], y_pred=[0.2, 0.7]) == 1.0


def test_names_are_those_of_keras():
    class Counted(metrics.Metric):
        pass

    names = [Counted().name, Counted().name, Counted(name="x").name]
    assert names == ["counted", "counted_1", "x"]
    assert Counted("y", "float64").name == "y"
    assert Counted("float64", "y").dtype == "float64"
    assert Counted(dtype="float64").dtype == "float64"


@pytest.mark.parametrize("name", ["huber", "log_cosh", "binary_focal_crossentropy"])
def test_name_of_a_function_is_its_mean(name):
    metric = metrics.get(name)
    assert metric.name == name
    expected = np.mean(getattr(metrics, name)(Y, X))
    assert metric(Y, X) == pytest.approx(expected, rel=1e-6)
    twin = metrics.deserialize(metrics.serialize(metric))
    assert twin(Y, X) == pytest.approx(expected, rel=1e-6)


def test_a_function_that_is_not_known_says_how_to_pass_it():
    def gap(y_true, y_pred):
        return y_true - y_pred

    config = metrics.serialize(metrics.MeanMetricWrapper(metrics.huber, "h"))
    config["config"]["fn"]["config"] = "gap"
    with pytest.raises(ValueError, match=r"mean of the function 'gap', .* in `custom_objects`"):
        metrics.deserialize(config)
    assert metrics.deserialize(config, {"gap": gap})([[3.0]], [[1.0]]) == 2.0


def test_classes_may_lie_along_any_axis():
    scores, labels = rng.random((5, 3, 4)), rng.integers(0, 3, (5, 4))
    moved = metrics.MeanIoU(3, sparse_y_pred=False)(labels, np.swapaxes(scores, 1, 2))
    assert metrics.MeanIoU(3, sparse_y_pred=False, axis=1)(labels, scores) == moved


def test_weights_that_are_cut_to_integers_are_told_of():
    metric = metrics.MeanIoU(2)
    assert metric([0, 1], [0, 1], sample_weight=[1, 2]) == 1.0
    with pytest.warns(UserWarning, match=r"counts in int32: .* Pass `dtype=\"float32\"`"):
        metric.update_state([0, 1], [0, 1], sample_weight=[0.5, 2])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: metrics.IoU(2, [2]), r"Target class id 2 is out of range, which is \[0, 2\)"),
        (lambda: metrics.RecallAtPrecision(1.5), r"`precision` must be in the range \[0, 1\]"),
        (lambda: metrics.PrecisionAtRecall(0.5, 0), "an integer > 0. Received: num_thresholds=0"),
        (lambda: metrics.AUC(num_labels=2), "`num_labels` is needed only when `multi_label`"),
        (lambda: metrics.AUC(multi_label=True)([1.0], [1.0]), "must have rank 2 when `multi_l"),
        (lambda: metrics.AUC(multi_label=True, num_labels=4)(Y, X), r"AUC\(num_labels=4\) takes"),
        (lambda: metrics.R2Score(num_regressors=-1), "Received: num_regressors=-1"),
        (lambda: metrics.Precision(class_id=1)([1.0], [1.0]), "When class_id is provided, y_p"),
    ],
)
def test_wrong_arguments_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()
