"""A student learns from a teacher as in Keras 3.15.1, recorded by `record_keras.py`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import seqonnx as sx
from seqonnx import distillation, layers

HERE = Path(__file__).parent
RECORDED = json.loads((HERE / "keras.json").read_text("utf-8"))
_SPEC = importlib.util.spec_from_file_location("distillation_cases", HERE / "cases.py")
cases = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(cases)


@pytest.mark.parametrize("name", RECORDED)
def test_training_is_that_of_keras(name):
    found, expected = cases.run(sx, name), RECORDED[name]
    assert list(found["history"]) == list(expected["history"])
    for key, values in expected["history"].items():
        np.testing.assert_allclose(found["history"][key], values, atol=1e-5, err_msg=key)
    for key, value in expected["measured"].items():
        assert found["measured"][key] == pytest.approx(value, abs=1e-5), key
    for mine, theirs in zip(found["weights"], expected["weights"], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_only_the_student_changes_and_is_called():
    teacher, student = cases.models(sx)
    before = teacher.get_weights()
    distiller = distillation.Distiller(teacher, student, distillation.LogitsDistillation())
    distiller.compile("sgd", "sparse_categorical_crossentropy")
    distiller.fit(cases.X, cases.Y, verbose=0)
    for old, new in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert teacher.trainable is False
    expected = student.predict(cases.X, verbose=0)
    np.testing.assert_allclose(distiller.predict(cases.X, verbose=0), expected, atol=1e-6)


def test_divergence_by_its_definition():
    """By Hinton et al.: of softened probabilities, times the temperature squared.

    Keras 3.15.1 documents it so, and compares the logits themselves where the loss is given by
    its name.
    """

    def soft(logits):
        raised = np.exp(np.float64(logits) / 2.0)
        return raised / raised.sum(-1, keepdims=True)

    teacher, student = cases.X[:, :3], cases.X[:, 1:]
    p, q = soft(teacher), soft(student)
    expected = 4.0 * (p * np.log(p / q)).sum(-1).mean()
    for loss in ("kl_divergence", sx.losses.KLDivergence()):
        made = distillation.LogitsDistillation(2.0, loss)
        assert float(made.compute_loss(teacher, student)) == pytest.approx(expected, rel=1e-5)


def test_losses_of_several_outputs_are_added_and_none_is_left_out():
    teacher = [cases.X, cases.X * 2, cases.X]
    student = [cases.X + 1, cases.X, cases.X + 3]
    made = distillation.FeatureDistillation(["mae", None, "mse"])
    made.validate_outputs(teacher, student)
    assert float(made.compute_loss(teacher, student)) == pytest.approx(10.0, rel=1e-5)
    with pytest.raises(ValueError, match="Loss structure mismatch"):
        made.validate_outputs(teacher[:2], student[:2])
    again = distillation.FeatureDistillation.from_config(json.loads(json.dumps(made.get_config())))
    assert again.get_config() == made.get_config()


def test_configuration_makes_it_again():
    teacher, student = cases.models(sx)
    loss = distillation.FeatureDistillation("mae", "th", "sh")
    made = distillation.Distiller(teacher, student, [loss], [2.0], 0.25)
    again = distillation.Distiller.from_config(json.loads(json.dumps(made.get_config())))
    assert (again.student_loss_weight, again.distillation_loss_weights) == (0.25, [2.0])
    assert again.distillation_losses[0].get_config() == loss.get_config()
    assert [x.name for x in again.teacher.layers] == ["th", "to"]


def wide(units, inputs=4, dtype="float32"):
    return sx.Sequential([sx.Input((inputs,)), layers.Dense(units, dtype=dtype)])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda d: d.Distiller(1, wide(2), d.LogitsDistillation()),
            "Teacher must be a keras.Model",
        ),
        (
            lambda d: d.Distiller(wide(2), wide(3), d.LogitsDistillation()),
            "output shapes are incom",
        ),
        (lambda d: d.Distiller(wide(2, 3), wide(2), d.LogitsDistillation()), "input shapes are"),
        (lambda d: d.Distiller(wide(2), wide(2), None), "'distillation_losses' cannot be `None`"),
        (
            lambda d: d.Distiller(wide(2), wide(2), [d.LogitsDistillation()], [1, 2]),
            r"\(2\) must m",
        ),
        (
            lambda d: d.Distiller(wide(2), wide(2), d.LogitsDistillation(), None, 1.5),
            "between 0.0 and 1.0, got 1.5",
        ),
        (
            lambda d: d.Distiller(wide(2), wide(2), d.FeatureDistillation("mse", "x", "y")),
            "In teacher model: No such layer: x",
        ),
        (
            lambda d: d.Distiller(wide(2), wide(2), d.LogitsDistillation()).compile(),
            "cannot be `No",
        ),
        (lambda d: d.LogitsDistillation(0.0), "temperature must be positive"),
        (lambda d: d.LogitsDistillation("3"), "temperature must be a number"),
        (lambda d: d.FeatureDistillation(None), "at least one non-`None` value"),
    ],
)
def test_wrong_arguments_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make(distillation)
