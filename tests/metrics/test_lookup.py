"""Metrics are found by name, class, config and function; shapes choose the accuracy."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import metrics
from seqonnx.catalogue import entries
from seqonnx.graph import Variable
from seqonnx.initializers import Constant
from support.metric_cases import REQUIRED


@pytest.mark.parametrize(
    ("y_true", "y_pred", "cls"),
    [
        ((None, 1), (None, 1), metrics.BinaryAccuracy),
        ((None,), (None, 1), metrics.BinaryAccuracy),
        ((None,), (None, 10), metrics.SparseCategoricalAccuracy),
        ((None, 1), (None, 10), metrics.SparseCategoricalAccuracy),
        ((None, 7), (None, 7, 10), metrics.SparseCategoricalAccuracy),
        ((None, 10), (None, 10), metrics.CategoricalAccuracy),
        ((None, 7, 10), (None, 7, 10), metrics.CategoricalAccuracy),
    ],
)
@pytest.mark.parametrize("name", ["accuracy", "acc", "Accuracy"])
def test_shapes_choose_the_accuracy_and_the_name_stays(name, y_true, y_pred, cls):
    metric = metrics.resolve(name, y_true, y_pred)
    assert type(metric) is cls
    assert metric.name == name


@pytest.mark.parametrize(
    ("identifier", "cls"),
    [
        ("mse", metrics.MeanSquaredError),
        ("MAE", metrics.MeanAbsoluteError),
        ("mean_absolute_error", metrics.MeanAbsoluteError),
        ("RootMeanSquaredError", metrics.RootMeanSquaredError),
        ("binary_accuracy", metrics.BinaryAccuracy),
        ("sparse_categorical_crossentropy", metrics.SparseCategoricalCrossentropy),
        ("top_k_categorical_accuracy", metrics.TopKCategoricalAccuracy),
        ("sparse_top_k_categorical_accuracy", metrics.SparseTopKCategoricalAccuracy),
        ("auc", metrics.AUC),
        ("f1_score", metrics.F1Score),
        ("r2_score", metrics.R2Score),
    ],
)
def test_name_gives_its_metric_called_by_that_name(identifier, cls):
    metric = metrics.get(identifier)
    assert type(metric) is cls
    assert metric.name == identifier


def test_instance_class_and_none():
    metric = metrics.Precision()
    assert metrics.get(metric) is metric
    assert type(metrics.get(metrics.AUC)) is metrics.AUC
    assert metrics.get(None) is None


@pytest.mark.parametrize("identifier", ["foo", "ce", 3, {"class_name": "Foo"}])
def test_unknown_identifier_is_named(identifier):
    for find in (metrics.get, lambda i: metrics.resolve(i, (None,), (None, 2))):
        with pytest.raises(ValueError, match="Could not interpret metric identifier: ") as caught:
            find(identifier)
        assert str(identifier) in str(caught.value)
        assert "mean_absolute_error" in str(caught.value)


@pytest.mark.parametrize(
    "cls", sorted(set(entries("metric").values()), key=lambda cls: cls.__name__)
)
def test_config_round_trip(cls):
    metric = cls(*REQUIRED.get(cls.__name__, ()), name="given")
    twin = metrics.get(metrics.serialize(metric))
    assert type(twin) is cls
    assert twin.get_config() == metric.get_config()
    assert twin.name == "given"


def test_arguments_survive_the_round_trip():
    for metric in (
        metrics.BinaryAccuracy(threshold=0.3),
        metrics.TopKCategoricalAccuracy(k=3),
        metrics.Precision(thresholds=[0.2, 0.7], class_id=1),
        metrics.AUC(thresholds=[0.3, 0.6], curve="PR"),
        metrics.FBetaScore("macro", 2.0, 0.5),
        metrics.R2Score(None),
        metrics.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
    ):
        twin = metrics.get(metrics.serialize(metric))
        assert vars(twin) == vars(metric)


def test_unnamed_decisions_are_numbered_so_that_two_can_be_logged():
    first, second = metrics.Recall(class_id=0), metrics.Recall(class_id=1)
    assert first.name != second.name
    assert first.name.startswith("recall")


def test_function_becomes_a_mean():
    def worst(op, y_true, y_pred):
        return op.ReduceMax(op.Abs(op.Sub(y_pred, y_true)), [-1], keepdims=0)

    metric = metrics.resolve(worst, (None, 2), (None, 2))
    assert metric.name == "worst"
    metric.update_state(np.array([[0, 0]]), [[1.0, -3.0]])
    metric.update_state([[0.0, 0.0], [0.0, 0.0]], [[2.0, 1.0], [4.0, 0.0]])
    assert metric.result() == 3.0


def test_functions_of_the_room_can_be_passed():
    metric = metrics.get(metrics.sparse_categorical_accuracy)
    assert metric.name == "sparse_categorical_accuracy"
    assert metric([1, 0], [[0.1, 0.9], [0.2, 0.8]]) == 0.5


def test_metric_of_ones_own():
    class Largest(metrics.Metric):
        def __init__(self):
            super().__init__()
            self.largest = self.add_variable((), Constant(-np.inf), name="largest")

        def update(self, op, state, y_true, y_pred, sample_weight=None):
            return {"largest": op.Max(state["largest"], op.ReduceMax(y_pred, keepdims=0))}

        def compute(self, state):
            return float(state["largest"])

    metric = metrics.resolve(Largest(), (None,), (None,))
    metric.update_state([0.0], [-5.0])
    metric.update_state([0.0, 0.0], [-7.0, -2.0])
    assert metric.result() == -2.0
    assert metric.largest.numpy() == -2.0
    assert metric.variables == [metric.largest]
    metric.reset_state()
    assert metric.largest.numpy() == -np.inf


def test_method_variables_of_ones_own_works_for_one_version():
    with pytest.warns(DeprecationWarning, match="Metric Old: declare accumulators with `add_var"):

        class Old(metrics.Metric):
            def variables(self):
                return {"sum": np.zeros((), np.float32)}

            def update(self, op, state, y_true, y_pred, sample_weight=None):
                return {"sum": op.Add(state["sum"], op.ReduceSum(y_pred, keepdims=0))}

            def compute(self, state):
                return float(state["sum"])

    metric = Old()
    metric.update_state([0.0, 0.0], [1.0, 2.0])
    assert metric.result() == 3.0


def test_method_values_of_ones_own_works_for_one_version():
    with pytest.warns(DeprecationWarning, match="Metric Old: rename `values` to `call`"):

        class Old(metrics.MeanMetric):
            def values(self, op, y_true, y_pred):
                return op.Sub(y_pred, op.CastLike(y_true, y_pred))

    assert Old()([1.0, 2.0], [2.0, 5.0]) == 2.0


def test_metric_that_is_a_mean_of_a_formula_is_one_line():
    class Bias(metrics.MeanMetric, formula=lambda op, y, p: op.Sub(p, op.CastLike(y, p))):
        pass

    assert Bias()([1.0, 2.0], [2.0, 5.0]) == 2.0
    assert Bias().name == "bias"


def test_metric_without_its_methods_says_how_to_write_them():
    class Bare(metrics.Metric):
        pass

    with pytest.raises(NotImplementedError, match=r"Bare does not define `compute`\. Write `comp"):
        Bare().result()
    with pytest.raises(NotImplementedError, match=r"Bare does not define `update`\. Write `update"):
        Bare().update_state([1.0], [1.0])
    with pytest.raises(
        NotImplementedError, match=r"does not define `call`\. Write `call\(self, op"
    ):
        metrics.MeanMetric().update_state([1.0], [1.0])


def test_variables_are_the_accumulators_and_change_with_them():
    metric = metrics.MeanAbsoluteError(name="mae")
    total, count = metric.variables
    assert isinstance(total, Variable)
    assert [v.path for v in (total, count)] == ["mae/total", "mae/count"]
    assert [v.dtype for v in (total, count)] == ["float32", "float32"]
    metric.update_state([[1.0], [2.0]], [[2.0], [5.0]])
    assert [v.numpy().item() for v in (total, count)] == [4.0, 2.0]
    total.assign(6.0)
    assert metric.result() == 3.0
    metric.reset_state()
    assert [v.numpy().item() for v in (total, count)] == [0.0, 0.0]
    assert metric.variables == [total, count]


def test_calling_variables_works_for_one_version():
    metric = metrics.CategoricalAccuracy()
    with pytest.warns(DeprecationWarning, match="`variables` of a metric is a property, a list"):
        first = metric.variables()
    assert {name: start.item() for name, start in first.items()} == {"total": 0.0, "count": 0.0}


def test_name_of_an_accumulator_is_taken_once():
    metric = metrics.Metric("m")
    metric.add_weight(name="total")
    with pytest.raises(ValueError, match="Metric 'm' has an accumulator 'total' already"):
        metric.add_variable((), name="total")
    assert metric.add_variable((2,), "ones").numpy().tolist() == [1.0, 1.0]
