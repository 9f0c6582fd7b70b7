"""Every gradient rule agrees with finite differences, in every mask and shape, and on ORT."""

from __future__ import annotations

import numpy as np
import pytest
from gradient_cases import CASES
from gradient_check import (
    Case,
    assert_close,
    differentiate,
    gradients_of,
    slope_along,
)

DIRECTIONS = 2


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_agrees_with_finite_differences(case: Case) -> None:
    cotangents, gradients = gradients_of(case)
    rng = np.random.default_rng(5)
    for index, gradient in zip(case.wanted, gradients, strict=True):
        assert gradient.shape == case.inputs[index].shape
        for _ in range(DIRECTIONS):
            direction = rng.normal(size=gradient.shape)
            numeric = slope_along(case, cotangents, index, direction)
            analytic = float((gradient * direction).sum())
            scale = max(1.0, abs(numeric))
            tolerance = case.tolerance if case.reference else 1e-4
            assert abs(analytic - numeric) <= tolerance * scale, (index, analytic, numeric)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_symbolic_batch_and_every_mask_give_the_same_gradient(case: Case) -> None:
    cotangents, gradients = gradients_of(case)
    symbolic = differentiate(case, cotangents, case.wanted, case.dtype, True)
    for actual, wanted in zip(symbolic.run(reference=case.reference), gradients, strict=True):
        assert_close(actual, wanted, 1e-12 if case.reference else 1e-5, "symbolic batch")
    if len(case.wanted) == 1:
        return
    for index, wanted in zip(case.wanted, gradients, strict=True):
        alone = differentiate(case, cotangents, [index], case.dtype, True)
        (actual,) = alone.run(reference=case.reference)
        assert_close(actual, wanted, 1e-12 if case.reference else 1e-5, f"input {index} alone")


@pytest.mark.parametrize("case", [case for case in CASES if case.onnxruntime], ids=str)
def test_float32_on_onnxruntime_agrees_with_float64(case: Case) -> None:
    cotangents, gradients = gradients_of(case)
    built = differentiate(case, cotangents, case.wanted, "float32", True)
    for actual, wanted in zip(built.run(reference=False), gradients, strict=True):
        assert actual.dtype == np.float32
        assert_close(actual, wanted, 1e-4, "float32 on ONNX Runtime")
