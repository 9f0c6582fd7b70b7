"""Per-sample values, weights and masks become one number by stated rules."""

from __future__ import annotations

import numpy as np
import pytest

from seqonnx import losses
from seqonnx.graph import Emitter
from seqonnx.losses.reduction import reduce_weighted
from seqonnx.runtime.program import run_emission

Y_TRUE = np.zeros((4, 2), np.float32)
Y_PRED = np.array([[1, 1], [2, 2], [3, 3], [4, 4]], np.float32)
VALUES = np.array([1.0, 4.0, 9.0, 16.0])
WEIGHTS = np.array([1.0, 2.0, 0.0, 0.5], np.float32)


@pytest.mark.parametrize(
    ("reduction", "plain", "weighted"),
    [
        ("sum_over_batch_size", VALUES.mean(), (VALUES * WEIGHTS).sum() / 4),
        ("mean", VALUES.mean(), (VALUES * WEIGHTS).sum() / 4),
        ("sum", VALUES.sum(), (VALUES * WEIGHTS).sum()),
        ("mean_with_sample_weight", VALUES.mean(), (VALUES * WEIGHTS).sum() / WEIGHTS.sum()),
        ("none", VALUES, VALUES * WEIGHTS),
        (None, VALUES, VALUES * WEIGHTS),
    ],
)
def test_reduction_with_and_without_weights(reduction, plain, weighted):
    loss = losses.MeanSquaredError(reduction=reduction)
    np.testing.assert_allclose(loss(Y_TRUE, Y_PRED), plain, rtol=1e-6)
    np.testing.assert_allclose(loss(Y_TRUE, Y_PRED, WEIGHTS), weighted, rtol=1e-6)
    np.testing.assert_allclose(
        np.ravel(loss(Y_TRUE, Y_PRED, WEIGHTS[:, None])), np.ravel(weighted), rtol=1e-6
    )


@pytest.mark.parametrize("reduction", ["mean", "mean_with_sample_weight", "sum"])
def test_weight_of_a_sample_counts_for_all_its_values(reduction):
    y = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    weight = np.array([1.0, 3.0])
    values = y[..., 0] ** 2
    total = (values * weight[:, None]).sum()
    divisor = {"mean": 6, "mean_with_sample_weight": 12, "sum": 1}[reduction]
    loss = losses.MeanSquaredError(reduction=reduction)
    assert loss(np.zeros_like(y), y, weight) == pytest.approx(total / divisor)


def test_weights_that_sum_to_zero_give_zero():
    loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert loss(Y_TRUE, Y_PRED, np.zeros(4)) == 0.0


@pytest.mark.parametrize(
    ("reduction", "expected"), [("mean", (4 + 9) / 2), ("sum", 13), ("none", [0, 4, 9, 0])]
)
def test_mask_leaves_values_out_of_the_mean(reduction, expected):
    mask = np.array([False, True, True, False])

    def emit(op: Emitter, values):
        return [reduce_weighted(op, values[0], None, values[1], reduction)]

    arrays = [VALUES.astype(np.float32), mask]
    result = run_emission(emit, arrays, key=("masked", reduction))[0]
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_mask_given_to_emit_joins_the_weights():
    loss = losses.MeanSquaredError()

    def emit(op: Emitter, values):
        return [loss._emit(op, *values)]

    mask = np.array([False, True, True, True])
    arrays = [Y_TRUE, Y_PRED, WEIGHTS, mask]
    result = run_emission(emit, arrays, key="masked and weighted")[0]
    assert result == pytest.approx((4 * 2 + 9 * 0 + 16 * 0.5) / 3)


def test_ignored_class_counts_neither_in_the_sum_nor_in_the_number():
    y_pred = np.full((4, 2), 0.5, np.float32)
    loss = losses.SparseCategoricalCrossentropy(ignore_class=255)
    assert loss([0, 255, 1, 255], y_pred) == pytest.approx(np.log(2), rel=1e-6)
    assert loss([255, 255, 255, 255], y_pred) == 0.0
    negative = losses.SparseCategoricalCrossentropy(ignore_class=-1, reduction="none")
    np.testing.assert_allclose(
        negative([0, -1, 1, -1], y_pred), np.log(2) * np.array([1, 0, 1, 0]), rtol=1e-6
    )


def test_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match=r"Invalid value for argument `reduction`.*reduction=foo"):
        losses.MeanSquaredError(reduction="foo")
