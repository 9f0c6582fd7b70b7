"""The driver for JavaScript, seen alone: noise, schedules, weights, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqonnx as keras
from seqonnx import layers
from seqonnx.optimizers import schedules
from seqonnx.runtime.noise import uniform_noise

PACKAGES = os.environ.get("SEQONNX_JAVASCRIPT")
DRIVER = Path(keras.__file__).parent / "export" / "seqonnx.js"
in_node = pytest.mark.skipif(
    PACKAGES is None,
    reason="set SEQONNX_JAVASCRIPT to the folder that tests/javascript/install.sh has filled",
)

SCHEDULES = [
    schedules.ExponentialDecay(0.1, 7, 0.9),
    schedules.ExponentialDecay(0.1, 7, 0.9, staircase=True),
    schedules.InverseTimeDecay(0.1, 3, 0.5),
    schedules.InverseTimeDecay(0.1, 3, 0.5, staircase=True),
    schedules.PiecewiseConstantDecay([5, 20], [0.3, 0.2, 0.1]),
    schedules.PolynomialDecay(0.1, 15, 0.01, power=2.0),
    schedules.PolynomialDecay(0.1, 15, 0.01, cycle=True),
    schedules.CosineDecay(0.1, 30, alpha=0.1),
    schedules.CosineDecay(0.1, 20, warmup_target=0.4, warmup_steps=8),
    schedules.CosineDecay(0.1, 20, warmup_steps=8),
    schedules.CosineDecayRestarts(0.1, 6, t_mul=1.5, m_mul=0.8, alpha=0.01),
    schedules.CosineDecayRestarts(0.1, 6, t_mul=1.0),
]
NOISE = [(7, 0, 0, 3, 5), (2**63 + 12345, 2, 1000, 31, 99), (2**64 - 1, 5, 123456, 4, 70_000)]
"""Seed, stream, step, sample and element."""


@pytest.fixture(scope="module")
def checks(tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("driver")
    keras.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,), name="x"),
            layers.BatchNormalization(name="normal"),
            layers.Dropout(0.5),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["acc"])
    model.export_training(folder)
    other = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    other.compile("sgd", "mse")
    other.export_training(folder / "of_other")
    plan = {
        "noise": [([seed & 0xFFFFFFFF, seed >> 32], *place) for seed, *place in NOISE],
        "schedules": [schedules.serialize(schedule) for schedule in SCHEDULES],
        "other": str(folder / "of_other" / "state.safetensors"),
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    program = shutil.which("node")
    assert program is not None
    script = Path(__file__).with_name("driver_checks.mjs")
    run = [program, str(script), str(PACKAGES), str(folder)]
    result = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@in_node
def test_noise_has_the_same_bits(checks):
    expected = [
        uniform_noise(seed, step, stream, (sample + 1, element + 1))[-1, -1] * 2**24
        for seed, stream, step, sample, element in NOISE
    ]
    assert checks["noise"] == expected


@in_node
@pytest.mark.parametrize("number", range(len(SCHEDULES)))
def test_schedule_gives_the_same_learning_rates(checks, number):
    expected = [SCHEDULES[number](step) for step in range(40)]
    np.testing.assert_allclose(checks["rates"][number], expected, rtol=1e-6)


def test_every_schedule_is_in_the_driver():
    named = {type(schedule).__name__ for schedule in SCHEDULES}
    assert named == set(schedules.__all__) - {
        "LearningRateSchedule",
        "deserialize",
        "get",
        "serialize",
    }
    text = DRIVER.read_text("utf-8")
    assert all(re.search(rf"^  {name}[:(]", text, re.MULTILINE) for name in named)


@in_node
def test_weights_are_one_array_that_can_be_averaged(checks):
    weights = checks["weights"]
    first, second = np.asarray(weights["a"]), np.asarray(weights["b"])
    assert first.size == 4 * 4 + 4 * 2 + 2  # four vectors of the normalization, kernel and bias
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_allclose(weights["average"], (first + second) / 2, rtol=1e-6)
    assert weights["seen"] == [[0, True], [1, True], [0, ["loss", "acc"]]]


@in_node
def test_learning_rate_can_be_set_and_counters_are_kept(checks):
    assert checks["still"]  # kernel and bias, at a learning rate of 0
    assert checks["together"] == [[1, 2], 4, 2]
    assert checks["counters"] == [4, 2]


@in_node
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("too few numbers", "x must be of shape [batch, 4]. Received: 3 numbers"),
        ("another number of targets", "y_true must be of shape [batch=1]. Received: 2 numbers"),
        ("another shape", "x must be of shape [batch, 4]. Received: shape [2, 2]"),
        ("no targets", "targets: expected y_true"),
        ("weights that were not exported", "sample_weights: expected none, as this was exported"),
        ("no numbers", "x must be of shape [batch, 4]. Received: 0 numbers"),
        ("a fraction as a label", "0.5 cannot be converted to a BigInt"),
        ("no batches", "no batches in epoch 0: give an array or a function of the epoch"),
        ("batches that are used up", "no batches in epoch 1: give an array or a function"),
        ("other weights", "expected 26 weights, received 2"),
        ("no folder", "cannot read manifest.json of the training in"),
        ("a file that is missing", "cannot read eval.onnx of the training in"),
        ("a runtime that is too old", "cannot load forward.onnx, of operator set"),
        ("a manifest of later", "manifests of format 2 need another driver"),
        ("a state of another model", "the state lacks normal/gamma"),
    ],
)
def test_error_says_what_is_wrong(checks, what, words):
    assert words in checks["errors"][what]


@in_node
def test_training_goes_on_after_errors(checks):
    assert 0 < checks["after"]["loss"] < 10


@in_node
def test_too_old_a_runtime_is_told_what_it_needs(checks):
    text = checks["errors"]["a runtime that is too old"]
    assert re.search(
        r"ONNX Runtime 1\.\d+\.\d+ cannot load .* for 1\.\d+ or newer: .*IR version", text
    )


def test_driver_is_short():
    lines = DRIVER.read_text("utf-8").splitlines()
    assert len(lines) <= 200
    assert max(map(len, lines)) <= 100
