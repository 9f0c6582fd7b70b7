"""The gradient of every float case of the standard agrees with central differences.

One test for each module of `onnx.backend.test.case.node`. The table at the end of the run says what
became of the cases: see `tests/conftest.py`.
"""

from __future__ import annotations

import json
from fnmatch import fnmatch
from pathlib import Path

import onnx
import pytest

import seqonnx.autodiff.rules as rules
from support.conformance.checking import Verdict, check
from support.conformance.exclusions import EXCLUSIONS
from support.conformance.standard_cases import cases_of, module_names

NEWEST = (1, 23)
"""Release of onnx whose cases the exclusions were written for."""

SHARE = 0.97
"""Part of the applicable cases that must pass."""

FEWEST = 900
"""Applicable cases that there must be; fewer means that some were not collected."""


def exclusion_of(module: str, name: str):
    """The exclusion that names a case, or None."""
    return next((e for e in EXCLUSIONS.get(module, ()) if fnmatch(name, e.pattern)), None)


def judged(module: str, verdict: Verdict) -> dict[str, object]:
    """A verdict as a row of the table."""
    row = {"name": verdict.name, "state": verdict.state, "why": verdict.why}
    row |= {"single": verdict.single, "baked": verdict.baked}
    exclusion = exclusion_of(module, verdict.name)
    if exclusion is not None and verdict.state == "failed":
        file, what = exclusion.instead
        row |= {"state": "excluded", "why": f"{exclusion.why} (instead: tests/{file}, {what})"}
    return row


@pytest.mark.parametrize("module", module_names())
def test_gradients_of_the_standards_cases_agree_with_differences(module, request, verdicts):
    rules.load()
    rows = [judged(module, check(case)) for case in cases_of(module)]
    request.node.user_properties.append(("conformance", json.dumps(rows)))
    failed = [f"{row['name']}: {row['why']}" for row in rows if row["state"] == "failed"]
    assert failed == []
    for exclusion in EXCLUSIONS.get(module, ()):
        matched = [row for row in rows if fnmatch(str(row["name"]), exclusion.pattern)]
        spare = [row["name"] for row in matched if row["state"] != "excluded"]
        assert spare == [], "these pass or do not apply: take their exclusion back"
        if version() >= NEWEST:
            assert matched != [], f"{exclusion.pattern} names no case"
    verdicts.add(module, [str(row["state"]) for row in rows])
    if verdicts.complete(module_names()):
        applicable, share = verdicts.share()
        assert applicable >= FEWEST
        assert share >= SHARE


def version() -> tuple[int, ...]:
    """Release of the installed onnx."""
    return tuple(int(part) for part in onnx.__version__.split(".")[:2])


def test_every_exclusion_says_what_tests_the_operator_instead():
    for exclusion in (e for group in EXCLUSIONS.values() for e in group):
        file, what = exclusion.instead
        assert what in (Path(__file__).parent.parent / file).read_text(encoding="utf-8")
