"""Input that cannot be right gets a clear error, and nothing is lost by it."""

from __future__ import annotations

import re

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.errors import GradientError


@pytest.fixture
def model() -> keras.Sequential:
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="softmax", name="d0")], name="m"
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


X = np.ones((6, 3))
Y = np.array([0, 1, 2, 3, 0, 1])

RANK = (
    "Invalid input shape for input <KerasTensor shape=(None, 3), dtype=float32, sparse=False, "
    "ragged=False, name=keras_tensor> with name 'keras_tensor' and path ''. "
    "Expected shape (None, 3), but input has incompatible shape "
)
LAST = (
    "Input 0 with name 'None' of layer 'd0' is incompatible with the layer: expected axis -1 of "
    "input shape to have value 3, but received input with shape "
)
LABEL = (
    "at position {} of the targets, which is outside the valid range of [0, 4): "
    "the predictions have 4 classes"
)


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (np.ones(6), Y, RANK + "(6,)"),
        (np.ones((6, 3, 2)), Y, RANK + "(6, 3, 2)"),
        (np.ones((6, 5)), Y, LAST + "(6, 5)"),
        (np.ones((0, 3)), Y[:0], "Expected at least one sample in `x`, received 0 samples."),
        (X, Y[:4], "Data cardinality is ambiguous. Make sure all arrays contain the same number "
                   "of samples.'x' sizes: 6\n'y' sizes: 4\n"),
        (X, np.array([0, 1, 2, 7, 0, 1]), "label value of 7 " + LABEL.format(3)),
        (X, np.array([0, 1, -1, 2, 0, 1]), "label value of -1 " + LABEL.format(2)),
        (X, np.array([0, 1, 0.5, 2, 0, 1]), "label value of 0.5 " + LABEL.format(2)),
        (X, np.eye(4)[Y], "For one-hot targets use the loss `categorical_crossentropy`"),
        (np.array([["a"] * 3] * 6), Y, "`x` must hold numbers"),
        (X, np.array(list("abcdef")), "`y` must hold numbers"),
        (np.array([[None] * 3] * 6), Y, "`x` must hold numbers"),
        ([[1, 2, 3], [1, 2]], Y[:2], "cannot be made an array"),
        (X, None, "need targets. Received: y=None"),
        (5.0, Y, "must have its samples along the first axis"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_data_that_does_not_fit_is_refused_and_weights_stay(model, method, x, y, text):
    before = model.get_weights()
    quiet = {} if method.endswith("batch") else {"verbose": 0}
    with pytest.raises(ValueError, match=re.escape(text)):
        getattr(model, method)(x, y, **quiet)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("method", ["predict", "__call__", "predict_on_batch"])
@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.ones(6), RANK + "(6,)"),
        (np.ones((6, 5)), LAST + "(6, 5)"),
        (np.array([["a"] * 3] * 6), "must hold numbers"),
    ],
)
def test_predicting_on_what_does_not_fit(model, method, x, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        getattr(model, method)(x)


def test_label_out_of_range_in_a_later_batch_of_a_generator(model):
    def batches():
        yield X, Y
        yield X, np.where(Y == 3, 9, Y)

    with pytest.raises(ValueError, match="Received a label value of 9 at position 3"):
        model.fit(batches(), verbose=0)
    assert model.optimizer.iterations <= 1


@pytest.mark.parametrize("first", [0.5, 1.0])
def test_label_with_a_fraction_from_a_generator(model, first):
    def batches():
        yield X, Y * 1.0 + (first - 1.0)
        yield X, Y + 0.5

    wrong = "-0.5 at position 0" if first == 0.5 else "0.5 at position 0"
    with pytest.raises(ValueError, match=f"Received a label value of {wrong}"):
        model.fit(batches(), verbose=0)
    assert model.optimizer.iterations <= 1


def test_targets_in_a_list_of_one(model):
    model.fit([X], [Y], verbose=0)
    with pytest.raises(ValueError, match="label value of 4"):
        model.fit([X], [Y + 4], verbose=0)


def test_wrong_shape_in_a_later_batch_of_a_generator(model):
    def batches():
        yield X, Y
        yield np.ones((6, 5)), Y

    with pytest.raises(Exception, match="input") as caught:
        model.fit(batches(), verbose=0)
    assert "5" in str(caught.value)
    assert np.isfinite(model.predict(X, verbose=0)).all()


def test_integer_labels_for_one_hot_loss_get_a_hint(model):
    model.compile("sgd", "categorical_crossentropy")
    with pytest.raises(ValueError, match="use the loss `sparse_categorical_crossentropy`"):
        model.fit(X, Y, verbose=0)


def test_uncompiled_model_predicts_but_does_not_train():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    assert model.predict(X, verbose=0).shape == (6, 1)
    for call in (
        lambda: model.fit(X, Y, verbose=0),
        lambda: model.evaluate(X, Y, verbose=0),
        lambda: model.train_on_batch(X, Y),
        lambda: model.test_on_batch(X, Y),
        lambda: model.optimizer,
    ):
        with pytest.raises(ValueError, match=r"You must call `compile\(\)` before using the model"):
            call()


def test_compile_without_a_loss_says_so(model):
    model.compile("sgd")
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"No loss to compute. Provide a `loss` argument in"):
            call(X, Y, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"optimizer": "foo"}, ValueError, "Could not interpret optimizer identifier: foo"),
        ({"loss": "foo"}, ValueError, "Could not interpret loss identifier: foo"),
        ({"metrics": ["foo"]}, ValueError, "Could not interpret metric identifier: foo"),
        (
            {"metrics": "mae"},
            ValueError,
            "Expected `metrics` argument to be a list, tuple, or dict. Received instead: "
            "metrics=mae of type <class 'str'>",
        ),
        (
            {"weighted_metrics": "mae"},
            ValueError,
            "Expected `weighted_metrics` argument to be a list, tuple, or dict.",
        ),
        ({"foo": 1}, TypeError, "compile() got unexpected arguments ['foo']"),
        ({"device": "tpu"}, ValueError, "A device must be 'auto', 'cpu', 'cuda', 'cuda:N'"),
    ],
)
def test_compile_refuses_what_it_cannot_interpret_and_keeps_what_it_had(
    model, arguments, error, text
):
    optimizer = model.optimizer
    with pytest.raises(error, match=re.escape(text)):
        model.compile(**({"optimizer": "adam", "loss": "mse"} | arguments))
    assert model.optimizer is optimizer
    model.fit(X, Y, verbose=0)


def test_metrics_as_a_dict_or_nested_lists(model):
    for metrics in ({"d0": ["accuracy"]}, {"d0": "accuracy"}, [["accuracy"]], ("accuracy",)):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=metrics)
        assert set(model.evaluate(X, Y, verbose=0, return_dict=True)) == {"loss", "accuracy"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"validation_split": 1.5}, "`validation_split` must be between 0 and 1"),
        ({"steps_per_epoch": 0}, "number of steps must be at least 1"),
        ({"sample_weight": np.ones(5)}, "Data cardinality is ambiguous"),
        (
            {"sample_weight": np.ones(6), "class_weight": {0: 1.0}},
            "You cannot `class_weight` and `sample_weight` at the same time.",
        ),
        ({"validation_data": (X,)}, "need targets"),
        ({"validation_data": (X, Y, Y, Y)}, "found: 4 parts"),
        ({"validation_data": (X[:2], Y)}, "Data cardinality is ambiguous"),
        ({"validation_data": (np.ones((2, 5)), Y[:2])}, LAST),
        ({"validation_data": (X, Y + 3)}, "label value of 4"),
    ],
)
def test_arguments_of_fit_that_cannot_be_right(model, arguments, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        model.fit(X, Y, verbose=0, **arguments)
    assert model.optimizer.iterations == 0


def test_callbacks_that_are_none(model):
    with pytest.raises(TypeError, match="`callbacks` must be Callback objects"):
        model.fit(X, Y, verbose=0, callbacks=["EarlyStopping"])


def test_one_array_of_targets_for_two_outputs_says_what_is_missing(model):
    both = keras.Model(model.inputs, [model.output, model.layers[0].input])
    both.compile("sgd", "mse")
    with pytest.raises(ValueError, match="A model of 2 outputs takes `y` as a list"):
        both.fit(X, Y, verbose=0)


def test_an_operator_without_a_gradient_names_the_layer_and_the_weight():
    class Steps(keras.Layer):
        def call(self, op, x, training):
            return op.Round(x)

    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="below"), Steps()])
    model.compile("sgd", "mse")
    with pytest.raises(GradientError) as e:
        model.fit(X, np.ones((6, 2)), verbose=0)
    assert "Round" in str(e.value)
    assert "steps" in str(e.value)
    assert "below" in str(e.value)
