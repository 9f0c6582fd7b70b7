"""All case tables."""

from __future__ import annotations

import cases_arithmetic
import cases_indexing
import cases_reduction
import cases_shape

CASES = [
    *cases_arithmetic.CASES,
    *cases_reduction.CASES,
    *cases_shape.CASES,
    *cases_indexing.CASES,
]
