"""Every gradient rule agrees with finite differences, in every mask and shape, and on ORT."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnx_ir.passes.common import RemoveUnusedNodesPass

from seqonnx.errors import GradientError
from support.autodiff.gradient_cases import CASES
from support.autodiff.gradient_check import (
    Case,
    assert_close,
    derivative_along,
    differentiate,
    gradients_of,
)

DIRECTIONS = 2
MANY = 4
"""Beyond this many inputs only the first case of an operator takes each of them alone."""
FIRST = {case.op_type: case for case in reversed(CASES)}.values()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_agrees_with_finite_differences(case: Case) -> None:
    cotangents, gradients = gradients_of(case)
    rng = np.random.default_rng(5)
    for index, gradient in zip(case.wanted, gradients, strict=True):
        assert gradient.shape == case.inputs[index].shape
        for _ in range(DIRECTIONS):
            direction = rng.normal(size=gradient.shape)
            numeric = derivative_along(case, cotangents, index, direction)
            analytic = float((gradient * direction).sum())
            scale = max(1.0, abs(numeric))
            tolerance = case.tolerance if case.reference else 1e-4
            assert abs(analytic - numeric) <= tolerance * scale, (index, analytic, numeric)


SIZES_NEEDED = {
    "ConvTranspose-output-shape": "the padding follows from this fixed size and that of the input",
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_unknown_axes_and_every_mask_give_the_same_gradient(case: Case) -> None:
    """The first axis unknown for all gradients at once, every axis unknown for each alone."""
    cotangents, gradients = gradients_of(case)
    tolerance = 1e-12 if case.reference else 1e-5
    if len(case.wanted) > 1:
        symbolic = differentiate(case, cotangents, case.wanted, case.dtype, True)
        for actual, wanted in zip(symbolic.run(reference=case.reference), gradients, strict=True):
            assert_close(actual, wanted, tolerance, "symbolic batch")
    unknown = True if str(case) in SIZES_NEEDED else "all"
    step = 1 if case in FIRST or len(case.wanted) <= MANY else MANY
    for index, wanted in list(zip(case.wanted, gradients, strict=True))[::step]:
        alone = differentiate(case, cotangents, [index], case.dtype, unknown)
        (actual,) = alone.run(reference=case.reference)
        assert_close(actual, wanted, tolerance, f"input {index} alone, all axes unknown")


def test_cases_that_need_sizes_are_refused_without_them():
    assert {str(case) for case in CASES} >= SIZES_NEEDED.keys()
    for case in CASES:
        if str(case) in SIZES_NEEDED:
            with pytest.raises(GradientError, match="needs to know the sizes of the axes"):
                differentiate(case, gradients_of(case)[0], case.wanted, case.dtype, "all")


@pytest.mark.parametrize("case", [case for case in CASES if case.onnxruntime], ids=str)
def test_float32_on_onnxruntime_agrees_with_float64(case: Case) -> None:
    cotangents, gradients = gradients_of(case)
    built = differentiate(case, cotangents, case.wanted, "float32", True)
    for actual, wanted in zip(built.run(reference=False), gradients, strict=True):
        assert actual.dtype == np.float32
        assert_close(actual, wanted, 1e-4, "float32 on ONNX Runtime")


UNUSABLE = {
    "MeanVarianceNormalization-two-numbers": "float32 loses what is left of the derivative",
    "Attention-precise": "wants double precision inside",
}


@pytest.mark.parametrize(
    "case", [c for c in CASES if not c.onnxruntime and str(c) not in UNUSABLE], ids=str
)
def test_gradient_runs_on_onnxruntime_where_the_operator_itself_does_not(case: Case) -> None:
    """A rule must not use what stock ONNX Runtime has no kernel for."""
    cotangents, gradients = gradients_of(case)
    built = differentiate(case, cotangents, case.wanted, "float32", True)
    model = ir.from_proto(built.model)
    RemoveUnusedNodesPass()(model)
    built.model = ir.to_proto(model)
    for actual, wanted in zip(built.run(reference=False), gradients, strict=True):
        assert_close(actual, wanted, 1e-4, "float32 on ONNX Runtime")
