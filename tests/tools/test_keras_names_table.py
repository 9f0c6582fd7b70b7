"""`docs/keras_names.md` says which of Keras's names there are, and most are."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "refresh" / "keras_names_table.py"))
MODULES = TOOL["modules"]()


def test_page_is_fresh():
    page = (ROOT / "docs" / "keras_names.md").read_text("utf-8")
    assert page == TOOL["render"](), f"docs/keras_names.md is stale: {TOOL['COMMAND']}"


def test_every_missing_name_has_a_reason_and_no_reason_is_left_over():
    missing = {(each.name, name) for each in MODULES for name in each.missing}
    given = set(TOOL["REASONS"])
    without = [pair for pair in missing if not given & {pair[0], ".".join(pair)}]
    assert without == []
    paths = {".".join(pair) for pair in missing}
    # A reason of a module is for the names of it that have none of their own.
    used = paths | {module for module, name in missing if f"{module}.{name}" not in given}
    assert given - used == set()


EVIDENCE = runpy.run_path(str(ROOT / "tools" / "refresh" / "keras_evidence.py"))
FAMILIES = {
    **dict.fromkeys(TOOL["FAMILIES"], 0.95),
    "callbacks": 0.93,  # Orbax writes for JAX: one of 16
}
"""Modules that scripts live of, and the least part of their names that must be there."""


@pytest.mark.parametrize(("family", "least"), FAMILIES.items())
def test_nearly_all_names_of_a_family_are_there_and_compared_with_keras(family, least):
    total, there = TOOL["counts"](MODULES, family)
    assert there >= least * total


def test_of_these_families_together_95_of_100_names_are_there():
    totals = [TOOL["counts"](MODULES, family) for family in FAMILIES]
    assert sum(there for _, there in totals) >= 0.95 * sum(total for total, _ in totals)


def test_evidence_is_made_from_recorded_values():
    """A name stands there where its values do, and its test is one that reads them."""
    kept = EVIDENCE["FILE"].read_text("utf-8")
    assert kept == EVIDENCE["render"](), f"stale: {EVIDENCE['COMMAND']}"
    for test in set(EVIDENCE["evidence"]().values()):
        text = (ROOT / test).read_text("utf-8").lower()
        assert "record" in text, test
        assert "keras" in text, test


X, Y = ("x", "POSITIONAL_OR_KEYWORD", None), ("y", "POSITIONAL_OR_KEYWORD", "(1, 1)")
OTHERS = ("kwargs", "VAR_KEYWORD", None)


@pytest.mark.parametrize(
    ("thing", "difference"),
    [
        (lambda x, y=(1, 1): 0, ""),
        (lambda x, y=1: 0, ""),
        (lambda x, y=1, z=2: 0, ""),
        (lambda x, y=2: 0, "`y` is `2`, in Keras `(1, 1)`"),
        (lambda x, y: 0, "`y` is required, in Keras `(1, 1)`"),
        (lambda x: 0, "`y` is missing"),
        (lambda x, **kwargs: 0, "`y` is missing"),
        (lambda y=1, x=0: 0, "another order; `x` is `0`, in Keras required"),
        (lambda x, z=2, y=1: 0, "another order"),
    ],
)
def test_signatures_are_compared_by_names_order_and_defaults(thing, difference):
    assert TOOL["signature_difference"](thing, [X, Y, OTHERS]) == difference


def test_names_are_looked_up_in_modules_that_are_loaded_on_first_use():
    assert TOOL["ours"]("keras.applications.resnet50.ResNet50") is not None
    assert TOOL["ours"]("keras.layers.NoSuchLayer") is None
    assert TOOL["ours"]("keras.no_such_module.name") is None
