"""The standard's cases that are not compared with differences: why, and what tests it instead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Exclusion:
    """Cases of one module that are left out.

    Args:
        pattern: glob pattern of their names.
        why: why they cannot pass.
        instead: the file under `tests/` and a text in it that tests the operator nevertheless.
    """

    pattern: str
    why: str
    instead: tuple[str, str]


EXCLUSIONS: dict[str, tuple[Exclusion, ...]] = {
    "affinegrid": (
        Exclusion(
            "test_affine_grid_?d*_expanded",
            "the definition makes tensors whose number of axes an If decides",
            ("support/autodiff/cases_signal.py", "AffineGrid"),
        ),
    ),
    "maxunpool": (
        Exclusion(
            "test_maxunpool_export_with_output_shape",
            "ONNX Runtime, and so the rule, counts positions in the shape that is asked for; "
            "the case counts them in the smaller default shape",
            ("support/autodiff/cases_pooling.py", "MaxUnpool"),
        ),
    ),
    "mod": (
        Exclusion(
            "test_mod_float_edge_cases_fmod_0_float*",
            "divides by zero, infinity and NaN; the divisor's gradient is NaN where the result is",
            ("support/autodiff/cases_arithmetic.py", 'Case("Mod"'),
        ),
    ),
    "resize": (
        Exclusion(
            "test_resize_downsample_scales_cubic_antialias",
            "weights of evaluator and rule differ by 3e-7 (error 1.2e-6), not explained yet",
            ("support/autodiff/cases_resampling.py", "antialias-cubic"),
        ),
    ),
    "scan": (
        Exclusion(
            "test_scan_sum",
            "Scan of set 8 has a batch axis, which no newer set has: our import refuses it",
            ("autodiff/test_gradient_control_flow.py", "SCAN"),
        ),
    ),
}
