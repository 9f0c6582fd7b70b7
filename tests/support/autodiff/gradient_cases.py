"""All case tables."""

from __future__ import annotations

import cases_arithmetic
import cases_attention
import cases_convolution
import cases_indexing
import cases_losses
import cases_normalization
import cases_pooling
import cases_recurrent
import cases_reduction
import cases_resampling
import cases_shape
import cases_signal

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
