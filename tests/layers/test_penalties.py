"""Regularizers and constraints compute their definitions, in any layout of a weight."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

from seqonnx import constraints, initializers, regularizers
from support.layers.emission import evaluate

W = np.array([[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0]])
KERNEL = np.random.default_rng(0).normal(size=(3, 2, 4, 5)) * 2
TO_STORED = (3, 2, 0, 1)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("l1", 0.01 * 11.5),
        ("l2", 0.01 * 31.25),
        ("L2", 0.01 * 31.25),
        ("l1l2", 0.01 * 11.5 + 0.01 * 31.25),
        (regularizers.l1(0.1), 1.15),
        (regularizers.l2(0.1), 3.125),
        (regularizers.l1_l2(0.1, 0.2), 1.15 + 6.25),
        (regularizers.L1L2(l1=0.1), 1.15),
        (regularizers.L1L2(l2=0.1), 3.125),
        (regularizers.L1, 0.115),
        (lambda op, x: op.ReduceMax(x, keepdims=0), 4.0),
    ],
)
def test_penalty_is_that_of_the_definition(identifier, expected):
    value = evaluate(regularizers.get(identifier), W)
    assert value.shape == ()
    assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal_penalty_is_the_mean_cosine(mode):
    rows = W if mode == "rows" else W.T
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = [abs(unit[i] @ unit[j]) for i in range(len(unit)) for j in range(i)]
    value = evaluate(regularizers.OrthogonalRegularizer(0.1, mode), W)
    assert value == pytest.approx(0.1 * np.mean(pairs), rel=1e-6)


@pytest.mark.parametrize(
    "regularizer",
    [
        regularizers.L1(0.2),
        regularizers.L2(0.3),
        regularizers.L1L2(0.2, 0.3),
        regularizers.OrthogonalRegularizer(0.1, "columns"),
    ],
)
def test_regularizer_survives_json(regularizer):
    again = regularizers.get(json.loads(json.dumps(regularizers.serialize(regularizer))))
    assert type(again) is type(regularizer)
    assert again.get_config() == regularizer.get_config()


def test_illegal_regularizers_are_refused():
    assert regularizers.get(None) is None
    assert regularizers.serialize(None) is None
    with pytest.raises(
        ValueError, match=r"^Could not interpret regularizer identifier: foo\. Expected "
    ):
        regularizers.get("foo")
    with pytest.raises(ValueError, match=r"argument l2: expected a non-negative float.*nan"):
        regularizers.L2(float("nan"))
    with pytest.raises(ValueError, match=r"Invalid value for argument `mode`"):
        regularizers.OrthogonalRegularizer(mode="x")
    with pytest.raises(ValueError, match="must have rank 2"):
        evaluate(regularizers.OrthogonalRegularizer(), np.ones((2, 2, 2)))


def norm(w: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    return np.sqrt((w**2).sum(axis, keepdims=True))


def max_norm(w, axis, limit=2.0):
    return w * np.clip(norm(w, axis), 0, limit) / (1e-7 + norm(w, axis))


def min_max_norm(w, axis, low, high, rate):
    wanted = rate * np.clip(norm(w, axis), low, high) + (1 - rate) * norm(w, axis)
    return w * wanted / (1e-7 + norm(w, axis))


CONSTRAINTS = [
    ("max_norm", lambda w: max_norm(w, 0)),
    (constraints.MaxNorm(1.0, axis=[0, 1, 2]), lambda w: max_norm(w, (0, 1, 2), 1.0)),
    (constraints.MaxNorm(1.0, axis=-1), lambda w: max_norm(w, -1, 1.0)),
    ("non_neg", lambda w: np.maximum(w, 0)),
    ("unit_norm", lambda w: w / (1e-7 + norm(w, 0))),
    (constraints.UnitNorm(axis=(0, 1)), lambda w: w / (1e-7 + norm(w, (0, 1)))),
    (
        constraints.MinMaxNorm(3.0, 4.0, 0.5, axis=1),
        lambda w: min_max_norm(w, 1, 3.0, 4.0, 0.5),
    ),
    (lambda op, w: op.CumSum(w, 0), lambda w: np.cumsum(w, 0)),
]


@pytest.mark.parametrize(("identifier", "definition"), CONSTRAINTS)
def test_constraint_counts_axes_in_the_keras_layout(identifier, definition):
    constraint = constraints.get(identifier)
    expected = definition(KERNEL)
    np.testing.assert_allclose(evaluate(constraint, KERNEL), expected, rtol=1e-6)
    stored = np.ascontiguousarray(KERNEL.transpose(TO_STORED))
    result = evaluate(partial(constraint._apply, layout=TO_STORED), stored)
    np.testing.assert_allclose(result, expected.transpose(TO_STORED), rtol=1e-6)


def test_constraint_leaves_a_weight_of_zeros_alone():
    for name in ("max_norm", "unit_norm", "min_max_norm"):
        value = evaluate(constraints.get(name), np.zeros((2, 2), np.float32))
        np.testing.assert_array_equal(value, np.zeros((2, 2)))


@pytest.mark.parametrize(
    "constraint",
    [
        constraints.MaxNorm(3.0, axis=(0, 1)),
        constraints.NonNeg(),
        constraints.UnitNorm(1),
        constraints.MinMaxNorm(0.5, 1.5, 0.9),
    ],
)
def test_constraint_survives_json(constraint):
    again = constraints.get(json.loads(json.dumps(constraints.serialize(constraint))))
    assert type(again) is type(constraint)
    assert again.get_config() == constraint.get_config()


def test_illegal_constraints_are_refused():
    assert constraints.get(None) is None
    assert constraints.serialize(None) is None
    with pytest.raises(ValueError, match=r"^Could not interpret constraint identifier: foo\. "):
        constraints.get("foo")


def test_regularizer_of_ones_own_is_saved_with_its_arguments():
    class Largest(regularizers.Regularizer):
        def __init__(self, factor=1.0):
            self.factor = factor

        def __call__(self, op, x):
            return op.Mul(op.ReduceMax(x, keepdims=0), self.factor)

    largest = Largest(0.5)
    assert evaluate(largest, W) == pytest.approx(0.5 * W.max(), rel=1e-6)
    config = regularizers.serialize(largest)
    assert config == {"class_name": "Largest", "config": {"factor": 0.5}}
    assert regularizers.deserialize(config, {"Largest": Largest}).factor == 0.5
    with pytest.raises(NotImplementedError, match=r"Write `__call__\(self, op, x\)`"):
        evaluate(regularizers.Regularizer(), W)


def test_constraint_of_ones_own_sees_the_keras_layout():
    class FirstRow(constraints.Constraint):
        def __call__(self, op, w):
            return op.Mul(w, np.array([[1.0], [0.0]], np.float32))

    w = np.arange(6, dtype=np.float32).reshape(2, 3)
    expected = [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
    assert evaluate(FirstRow(), w).tolist() == expected
    turned = evaluate(partial(FirstRow()._apply, layout=(1, 0)), w.T)
    assert turned.T.tolist() == expected
    with pytest.raises(NotImplementedError, match=r"Write `__call__\(self, op, w\)`"):
        evaluate(constraints.Constraint(), w)


def test_clone_of_an_initializer_has_the_same_arguments():
    given = initializers.RandomNormal(1.0, 2.0, seed=3)
    twin = given.clone()
    assert twin is not given
    assert repr(twin) == repr(given)
    assert twin((3,)).tolist() == given((3,)).tolist()
