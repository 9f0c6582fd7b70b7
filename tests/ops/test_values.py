"""Every function gives what Keras gives: its numbers, its shapes and its dtypes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.ops import CASES, Case, result_of

RECORDED: dict[str, Any] = json.loads(
    Path(__file__).with_name("keras_values.json").read_text("utf-8")
)
UNDECLARED = {"multi_hot"}
"""Cases where the dtype that Keras declares is not that of what it gives."""
LOOSE = {"erfinv": 3e-6, "i0": 1e-6, "inv": 1e-5, "logaddexp2": 1e-6, "ifft2": 1e-6, "rfft": 4e-6}
"""Tolerances, where a series or a loop stands for a function of a library."""


@pytest.mark.parametrize("index", range(len(CASES)), ids=[case.id for case in CASES])
def test_function_in_a_trace_gives_what_keras_gives(index):
    case = CASES[index]
    found = result_of(index)
    if isinstance(found, Exception):
        raise found
    check(case, found)


def check(case: Case, found: Any) -> None:
    """Compare what a case gave with the record."""
    recorded = RECORDED[case.id]
    parts = found if isinstance(found, list | tuple) else [found]
    wanted = recorded["result"]
    if case.name in {"nonzero", "where"} and case.args[1:] == ():  # one array there, a tuple here
        parts, wanted = [np.stack(parts)], [wanted]
    wanted = wanted if isinstance(wanted, list) else [wanted]
    assert len(parts) == len(wanted)
    declared = (case.id not in UNDECLARED and recorded["declared"]) or [None] * len(parts)
    if len(declared) != len(parts):
        declared = [None] * len(parts)
    for have, want, dtype in zip(parts, wanted, declared, strict=True):
        if isinstance(want, int):
            assert have == want
            continue
        array = np.asarray(have)
        expected = np.array(want["values"], np.float64).reshape(want["shape"])
        assert list(array.shape) == want["shape"]
        assert array.dtype.name == (dtype or want["dtype"])
        half = array.dtype == np.float16
        tolerance = 1e-3 if half else LOOSE.get(case.name, 2e-6)
        np.testing.assert_allclose(
            array.astype(np.float64), expected, rtol=max(tolerance, 5e-6), atol=tolerance
        )
