"""All case tables."""

from __future__ import annotations

from support.autodiff import (
    cases_arithmetic,
    cases_attention,
    cases_convolution,
    cases_indexing,
    cases_losses,
    cases_normalization,
    cases_pooling,
    cases_recurrent,
    cases_reduction,
    cases_resampling,
    cases_shape,
    cases_signal,
)

CASES = [
    *cases_arithmetic.CASES,
    *cases_reduction.CASES,
    *cases_shape.CASES,
    *cases_indexing.CASES,
    *cases_convolution.CASES,
    *cases_pooling.CASES,
    *cases_normalization.CASES,
    *cases_losses.CASES,
    *cases_recurrent.CASES,
    *cases_signal.CASES,
    *cases_attention.CASES,
    *cases_resampling.CASES,
]
