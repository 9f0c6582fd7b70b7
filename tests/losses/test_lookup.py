"""Losses are found by name, class, config and function, and round-trip through a config."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import losses
from seqonnx.catalogue import entries


@pytest.mark.parametrize(
    ("identifier", "cls"),
    [
        ("mse", losses.MeanSquaredError),
        ("MSE", losses.MeanSquaredError),
        ("mean_squared_error", losses.MeanSquaredError),
        ("MeanSquaredError", losses.MeanSquaredError),
        ("mae", losses.MeanAbsoluteError),
        ("bce", losses.BinaryCrossentropy),
        ("binary_crossentropy", losses.BinaryCrossentropy),
        ("categorical_crossentropy", losses.CategoricalCrossentropy),
        ("sparse_categorical_crossentropy", losses.SparseCategoricalCrossentropy),
        ("huber", losses.Huber),
        ("kld", losses.KLDivergence),
        (losses.Huber, losses.Huber),
        (losses.sparse_categorical_crossentropy, losses.SparseCategoricalCrossentropy),
        ({"class_name": "LogCosh", "config": {"reduction": "sum"}}, losses.LogCosh),
    ],
)
def test_identifier_gives_its_loss(identifier, cls):
    assert type(losses.get(identifier)) is cls


def test_instance_and_none_come_back():
    loss = losses.Huber()
    assert losses.get(loss) is loss
    assert losses.get(None) is None


@pytest.mark.parametrize("identifier", ["foo", 3, {"class_name": "Foo"}, ""])
def test_unknown_identifier_is_named(identifier):
    with pytest.raises(ValueError, match="Could not interpret loss identifier: ") as caught:
        losses.get(identifier)
    assert str(identifier) in str(caught.value)
    assert "mean_squared_error" in str(caught.value)


@pytest.mark.parametrize("cls", sorted(set(entries("loss").values()), key=lambda cls: cls.__name__))
def test_config_round_trip(cls):
    loss = cls(reduction="sum", name="given")
    twin = losses.get(losses.serialize(loss))
    assert type(twin) is cls
    assert twin.get_config() == loss.get_config()
    assert twin.name == "given"


def test_config_of_keras_is_understood():
    config = {
        "name": "binary_crossentropy",
        "reduction": "sum_over_batch_size",
        "from_logits": True,
        "label_smoothing": 0.1,
        "axis": -1,
    }
    loss = losses.get({"class_name": "BinaryCrossentropy", "config": config})
    assert loss.from_logits
    assert loss.label_smoothing == 0.1


def test_argument_that_matters_is_not_dropped_from_a_config():
    assert losses.BinaryCrossentropy.from_config({"axis": 1}).axis == 1
    with pytest.raises(TypeError, match="unknown"):
        losses.BinaryCrossentropy.from_config({"unknown": 1})


def test_label_smoothing_is_checked():
    with pytest.raises(ValueError, match=r"range \[0, 1\]. Received: label_smoothing=2"):
        losses.CategoricalCrossentropy(label_smoothing=2)


def test_function_becomes_a_loss():
    def scaled(op, y_true, y_pred, factor=1.0):
        return op.Mul(op.ReduceMean(op.Abs(op.Sub(y_pred, y_true)), [-1], keepdims=0), factor)

    loss = losses.get(scaled)
    assert loss.name == "scaled"
    assert loss([[1.0], [2.0]], [[2.0], [4.0]]) == 1.5
    wrapped = losses.LossFunctionWrapper(scaled, reduction="sum", factor=2.0)
    assert wrapped([[1.0], [2.0]], [[2.0], [4.0]]) == 6.0


def test_subclass_is_a_loss():
    class Cubic(losses.Loss):
        def call(self, op, y_true, y_pred):
            return op.ReduceMean(op.Pow(op.Sub(y_pred, y_true), 3.0), [-1], keepdims=0)

    assert Cubic().name == "cubic"
    assert Cubic()([[0.0]], [[2.0]], [0.5]) == 4.0
    with pytest.raises(NotImplementedError, match="Bare does not define `call`"):
        type("Bare", (losses.Loss,), {})()([[0.0]], [[2.0]])


def test_changed_attribute_changes_the_value():
    loss = losses.Huber(delta=1.0)
    assert loss([[0.0]], [[2.0]]) == 1.5
    loss.delta = 2.0
    assert loss([[0.0]], [[2.0]]) == 2.0


def test_functions_of_one_name_do_not_share_a_session():
    first = losses.get(lambda op, y_true, y_pred: op.Sub(y_pred, y_true))
    second = losses.get(lambda op, y_true, y_pred: op.Sub(y_true, y_pred))
    assert first([1.0], [3.0]) == 2.0
    assert second([1.0], [3.0]) == -2.0


def test_targets_of_any_numeric_type_are_taken():
    expected = losses.get("mse")([[0.0], [1.0]], [[0.5], [0.5]])
    for dtype in (bool, np.uint8, np.int64, np.float64):
        y_true = np.array([[0], [1]], dtype)
        assert losses.get("mse")(y_true, [[0.5], [0.5]]) == expected


def test_class_of_a_formula_is_one_line_and_reads_its_arguments_from_attributes():
    def scaled(op, y_true, y_pred, *, factor=1.0):
        return op.Mul(op.ReduceMean(op.Abs(op.Sub(y_pred, y_true)), [-1], keepdims=0), factor)

    class Plain(losses.Loss, formula=scaled):
        pass

    class Scaled(losses.Loss, formula=scaled):
        def __init__(self, factor, **common):
            super().__init__(**common)
            self.factor = factor

    assert Plain()([[1.0], [2.0]], [[2.0], [4.0]]) == 1.5
    loss = Scaled(2.0, reduction="sum")
    assert loss([[1.0], [2.0]], [[2.0], [4.0]]) == 6.0
    assert loss.get_config() == {"name": "scaled", "reduction": "sum", "factor": 2.0}
    assert Scaled.from_config(loss.get_config()).factor == 2.0


def test_old_name_of_the_method_works_for_one_version():
    with pytest.warns(DeprecationWarning, match="Loss Old: rename `per_sample` to `call`"):

        class Old(losses.Loss):
            def per_sample(self, op, y_true, y_pred):
                return op.ReduceMean(op.Abs(op.Sub(y_pred, y_true)), [-1], keepdims=0)

    assert Old()([[1.0]], [[3.0]]) == 2.0
