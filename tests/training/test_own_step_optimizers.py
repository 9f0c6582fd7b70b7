"""Optimizers in a training step of one's own do what they do in Keras 3.15.1, step by step.

Recorded with Keras and TensorFlow by `support/training/record_own_steps.py`: the scale of the loss
and the steps that it skips, gradients that are added up, moving averages.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import seqonnx as sx
from support.training import own_step_cases
from support.training.own_step_cases import CASES, OVERFLOWING, run

RECORDED = json.loads(Path(own_step_cases.__file__).with_name("own_steps.json").read_text("utf-8"))


@pytest.mark.parametrize("name", CASES)
def test_step_of_ones_own_gives_what_it_gives_in_keras(name):
    found, expected = run(sx, sx.GradientTape, name), RECORDED[name]
    # `iterations` counts skipped steps here, and in Keras those of the inner optimizer do not.
    skipped = 1 if CASES[name][1] else 0
    assert found["iterations"] == expected["iterations"] + skipped
    for key in ("scale", "counter"):
        assert found.get(key) == expected.get(key), key
    for now, wanted in zip(found["weights"], expected["weights"], strict=True):
        for mine, theirs in zip(now, wanted, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-6)
    for mine, theirs in zip(found["final"], expected["final"], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    losses = [(np.inf if each is None else each) for each in expected["loss"]]
    mine = [(np.inf if each is None else each) for each in found["loss"]]
    np.testing.assert_allclose(mine, losses, rtol=1e-5)


def test_the_recorded_overflow_skips_its_step():
    """So the comparison says something: weights stay where a step overflows."""
    weights = RECORDED["loss scale"]["weights"]
    assert weights[OVERFLOWING] == weights[OVERFLOWING - 1] != weights[OVERFLOWING + 1]
    averaged = RECORDED["average"]
    assert averaged["final"] != averaged["weights"][-1]
    assert set(RECORDED) == set(CASES)
