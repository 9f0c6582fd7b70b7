"""Node and Chromium train as Python does, by the driver that `export_training` leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.javascript.cases import CASES, STEPS, Case, make_case
from support.javascript.chromium import run_in_chromium

HERE = Path(__file__).parent
PACKAGES = os.environ.get("SEQONNX_JAVASCRIPT")
pytestmark = pytest.mark.skipif(
    PACKAGES is None,
    reason="set SEQONNX_JAVASCRIPT to the folder that tests/javascript/install.sh has filled",
)
LEARNS = {"mnist", "normal"}
"""Cases of real digits: 50 steps of 16 are enough to see it."""


def run_in_node(case: Case) -> None:
    program = shutil.which("node")
    assert program is not None
    run = [program, str(HERE / "run_case.mjs"), str(PACKAGES), str(case.folder)]
    result = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr


def compare(case: Case, place: str) -> None:
    """Hold what JavaScript has done against Python: 50 steps, evaluation, prediction, state."""
    result: dict[str, Any] = json.loads((case.folder / f"{place}.json").read_text())
    assert len(result["logs"]) == len(case.logs) == STEPS
    for here, there in zip(case.logs, result["logs"], strict=True):
        assert there == pytest.approx(here, abs=1e-4)
    assert result["evaluated"] == pytest.approx(case.evaluated, abs=1e-4)
    for name, expected in case.predicted.items():
        np.testing.assert_allclose(result["predicted"][name], expected.ravel(), atol=1e-4)
    fresh = case.build()
    fresh.load_training(case.folder, state=case.folder / f"{place}.safetensors")
    for ours, theirs in zip(case.model.weights, fresh.weights, strict=True):
        np.testing.assert_allclose(theirs.numpy(), ours.numpy(), atol=1e-4)
    assert fresh.optimizer.iterations == case.model.optimizer.iterations


# Making a case takes longer than starting a browser: one test for both.
@pytest.mark.parametrize("name", CASES)
def test_node_and_chromium_train_as_python_does(tmp_path, name):
    case = make_case(name, tmp_path / name)
    run_in_node(case)
    compare(case, "node")
    places = {"packages": Path(str(PACKAGES), "node_modules"), "case": case.folder, "tests": HERE}
    run_in_chromium("tests/page.html", places, case.folder, tmp_path / "profile")
    compare(case, "chromium")
    if name in LEARNS:
        assert np.mean([log["accuracy"] for log in case.logs[-10:]]) > 0.6
