"""Losses give what Keras gives, recorded by `record_keras_losses.py`: values, names, configs."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

import seqonnx
from seqonnx import losses
from support.loss_cases import CASES, DATA, FUNCTIONS, WEIGHTS

RECORD = json.loads(Path(__file__).with_name("keras_losses.json").read_text())
COARSE = {"float16": 2e-3, "mixed_float16": 2e-3}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_value_is_that_of_keras(case):
    loss = getattr(losses, case.name)(**case.arguments)
    y_true, y_pred = DATA[case.data]
    weight = None if case.weight is None else WEIGHTS[case.weight]
    actual = loss(y_true, y_pred, weight)
    expected = np.asarray(RECORD["values"][case.id])
    assert np.shape(actual) == expected.shape
    rtol = COARSE.get(case.arguments.get("dtype"), 2e-5)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol / 10)


def test_wide_dtype_keeps_its_digits():
    y_true, y_pred = DATA["one-hot"]
    rows = y_pred / y_pred.sum(-1, keepdims=True)
    expected = -(y_true * np.log(rows)).sum(-1).mean()
    wide = losses.CategoricalCrossentropy(dtype="float64")(y_true, y_pred)
    assert wide == pytest.approx(expected, rel=1e-14)
    assert losses.CategoricalCrossentropy()(y_true, y_pred) != pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("number", range(len(FUNCTIONS)))
def test_function_gives_the_values_of_keras(number):
    name, arguments, data = FUNCTIONS[number]
    y_true, y_pred = DATA[data]
    labels = y_true.dtype.kind == "i"
    targets = y_true if labels else y_true.astype("float32")
    actual = getattr(losses, name)(targets, y_pred.astype("float32"), **arguments)
    np.testing.assert_allclose(actual, RECORD["functions"][number], rtol=3e-5, atol=3e-6)


@pytest.mark.parametrize("name", sorted(RECORD["signatures"]))
def test_name_is_there_with_keras_arguments_in_order(name):
    parameters = inspect.signature(getattr(losses, name)).parameters.values()
    ours = [
        [p.name, None if p.default is p.empty else repr(p.default)]
        for p in parameters
        if p.kind is not p.VAR_KEYWORD
    ]
    assert ours == RECORD["signatures"][name]


@pytest.mark.parametrize("name", sorted(RECORD["configs"]))
def test_configs_go_both_ways(name):
    written = RECORD["configs"][name]
    loss = losses.deserialize(written)
    assert type(loss) is getattr(losses, name)
    extra = {"delta": 1.0} if name == "Huber" else {}  # Keras forgets it
    assert loss.get_config() == written["config"] | extra


def test_arguments_that_are_not_the_usual_ones_are_in_the_config():
    loss = losses.SparseCategoricalCrossentropy(axis=1, dtype="float16")
    twin = losses.get(losses.serialize(loss))
    assert (twin.axis, twin.dtype) == (1, "float16")
    assert losses.get(losses.serialize(losses.CosineSimilarity(axis=0))).axis == 0
    assert losses.get(losses.serialize(losses.Circle(gamma=3.0))).gamma == 3.0


def test_config_of_a_function_gives_its_loss():
    written = {
        "module": "builtins",
        "class_name": "function",
        "config": "mean_squared_error",
        "registered_name": "function",
    }
    assert type(losses.deserialize(written)) is losses.MeanSquaredError
    assert losses.serialize(losses.tversky)["config"] == "tversky"
    assert type(losses.get(losses.serialize(losses.tversky))) is losses.Tversky


def test_dtype_must_be_one_that_can_be_computed_in():
    with pytest.raises(
        ValueError, match=r"`dtype` of a loss must be a floating-point.*dtype=int32"
    ):
        losses.MeanSquaredError(dtype="int32")
    with pytest.raises(ValueError, match="Invalid dtype policy: mixed_int8"):
        losses.MeanSquaredError(dtype="mixed_int8")


def test_q_is_checked():
    with pytest.raises(ValueError, match=r"q must be in the interval \(0, 1\). Received: q=1"):
        losses.CategoricalGeneralizedCrossEntropy(q=1)


@pytest.mark.parametrize("axis", [2, -3, True, "last"])
def test_axis_that_is_not_there_is_named(axis):
    loss = losses.CategoricalFocalCrossentropy(axis=axis)
    with pytest.raises(ValueError, match=rf"`axis` must be an integer.*axis={axis} of type"):
        loss(*DATA["one-hot"])


def test_targets_of_the_new_losses_are_checked():
    with pytest.raises(ValueError, match=r"one label for each sample.*target.shape=\(3, 2\)"):
        losses.Circle()(np.zeros((3, 2), int), np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"labels must be integers. Received a label value of 0.5"):
        losses.Circle()([0.5, 1.0, 2.0], np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"Targets `y_true` are expected.*y_true.shape=\(3,\)"):
        losses.CTC()([1, 2, 1], np.ones((3, 4, 5)))
    with pytest.raises(ValueError, match="label value of 5 at position"):
        losses.CTC()([[1], [5]], np.ones((2, 4, 5)))


def test_text_that_is_too_long_for_its_sequence_has_no_alignment():
    logits = np.zeros((2, 2, 4), np.float32)
    values = losses.CTC(reduction="none")([[1, 1], [1, 2]], logits)
    assert values[0] == np.inf
    assert values[1] == pytest.approx(np.log(16.0))


@pytest.mark.parametrize(
    ("name", "data", "activation"),
    [
        ("binary_focal_crossentropy", "bits", "sigmoid"),
        ("categorical_focal_crossentropy", "one-hot", "softmax"),
        ("categorical_generalized_cross_entropy", "labels", "softmax"),
        ("dice", "bits", "sigmoid"),
        ("tversky", "bits", "sigmoid"),
        ("cosine_similarity", "one-hot", None),
    ],
)
def test_models_learn_by_the_name_of_a_loss(name, data, activation):
    targets, x = DATA[data]
    model = seqonnx.Sequential([seqonnx.Input((5,)), seqonnx.layers.Dense(5, activation)])
    model.compile(seqonnx.optimizers.Adam(0.05), name)
    history = model.fit(x, targets, epochs=15, verbose=0).history["loss"]
    assert history[-1] < history[0] - 0.05


def test_models_learn_embeddings_and_texts():
    labels, x = DATA["embeddings"]
    unit = seqonnx.layers.UnitNormalization()
    model = seqonnx.Sequential([seqonnx.Input((5,)), seqonnx.layers.Dense(4), unit])
    model.compile("adam", seqonnx.losses.Circle(gamma=2.0))
    history = model.fit(x, labels, epochs=15, verbose=0).history["loss"]
    assert history[-1] < history[0]
    texts, x = DATA["texts"]
    model = seqonnx.Sequential([seqonnx.Input((7, 5)), seqonnx.layers.Dense(5)])
    model.compile(seqonnx.optimizers.Adam(0.05), "ctc")
    history = model.fit(x, texts, epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]


def test_loss_of_another_dtype_trains():
    targets, x = DATA["numbers"]
    model = seqonnx.Sequential([seqonnx.Input((5,)), seqonnx.layers.Dense(5)])
    for dtype in ("float16", "float64"):
        model.compile("sgd", seqonnx.losses.MeanSquaredError(dtype=dtype), metrics=["mse"])
        logs = model.fit(x, targets, epochs=3, verbose=0).history
        np.testing.assert_allclose(logs["loss"], logs["mse"], rtol=2e-3)


def test_mask_of_a_user_function_of_tensors_counts():
    def of_some(op, y_true, y_pred):
        values = losses.mean_squared_error(op, y_true, y_pred)
        op.set_mask(values, op.Greater(values, 1.0))
        return values

    loss = losses.LossFunctionWrapper(of_some)
    assert loss([[0.0], [0.0], [0.0]], [[0.5], [2.0], [4.0]]) == 10.0


def test_function_of_a_user_gets_targets_of_the_rank_of_the_predictions():
    def apart(op, y_true, y_pred):
        return op.ReduceMean(op.Abs(op.Sub(y_true, y_pred)), [-1], keepdims=0)

    loss = losses.get(apart)
    assert loss([1.0, 2.0, 4.0], [[1.0], [2.0], [1.0]]) == 1.0


def test_losses_of_symbolic_tensors_are_part_of_a_model(tmp_path):
    first, second = seqonnx.Input((5,)), seqonnx.Input((5,))
    values = losses.binary_crossentropy(first, second, axis=-1)
    total = losses.BinaryFocalCrossentropy(gamma=1.0)(first, second)
    model = seqonnx.Model([first, second], [values, total])
    model.save(tmp_path / "m.onnx")
    bits, p = (array.astype("float32") for array in DATA["bits"])
    for each in (model, seqonnx.load_model(tmp_path / "m.onnx")):
        made, mean = each([bits, p])
        np.testing.assert_allclose(made, losses.binary_crossentropy(bits, p), rtol=1e-5)
        expected = losses.BinaryFocalCrossentropy(gamma=1.0)(bits, p)
        np.testing.assert_allclose(mean, expected, rtol=1e-5)
