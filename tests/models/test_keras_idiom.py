"""Programs in Keras's idiom: but for the import, they run as they are and score as in Keras."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

import seqonnx as keras
from support.models import keras_programs

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "models" / "keras_idiom"
# From record_keras_programs.py: the same files, first weights and data in Keras.
RECORDED = json.loads(
    (ROOT / "tests/support/models/recorded_keras_programs.json").read_text("utf-8")
)
NEEDED = {
    "gan": ["sklearn"],
    "tabular_regression": ["pandas"],
    "transfer_learning": ["PIL"],
    "variational_autoencoder": ["sklearn"],
}
# Where nothing is drawn while training, the two sides differ by rounding alone.
EXACT = {"multi_label", "tabular_regression", "time_series"}


def test_each_program_has_a_recorded_score():
    names = {path.stem for path in PROGRAMS.glob("*.py")}
    assert names == set(keras_programs.PREPARED) == set(RECORDED) - {"keras", "backend"}
    assert len(names) == 6


@pytest.mark.parametrize("name", keras_programs.PREPARED)
def test_program_is_written_for_keras(name):
    text = (PROGRAMS / f"{name}.py").read_text("utf-8")
    imports = re.findall(r"^.*seqonnx.*$", text, re.MULTILINE)
    assert imports[0] == "import seqonnx as keras"
    assert all(line.startswith("from seqonnx import ") for line in imports[1:])


@pytest.mark.parametrize("name", keras_programs.PREPARED)
def test_program_scores_as_in_keras(name, tmp_path):
    for module in NEEDED.get(name, []):
        pytest.importorskip(module, reason=f"the program reads its data with {module}")
    keras.set_device("cpu")
    keras.set_random_seed(0)
    program = SimpleNamespace(**runpy.run_path(str(PROGRAMS / f"{name}.py")))
    scores = keras_programs.run(name, program, tmp_path)
    recorded = RECORDED[name]
    assert scores.keys() == recorded.keys()
    within = 1e-3 if name in EXACT else 0.02
    assert scores == pytest.approx(recorded, rel=within)
