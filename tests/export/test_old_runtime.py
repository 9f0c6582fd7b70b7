"""Files of default settings run in the oldest ONNX Runtime that is promised (docs/readers.md).

`SEQONNX_OLD_RUNTIME` names an interpreter that has it; the newest runtime is that of all tests.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READERS = ROOT / "tools" / "checks" / "readers"
NAMES = (
    *("digits_cnn", "transformer", "sentences_lstm", "detector"),
    *("mnist_int8", "mnist_float16"),
)
"""Of the models of the matrix those that differ in kind."""
PYTHON = os.environ.get("SEQONNX_OLD_RUNTIME")


@pytest.mark.skipif(PYTHON is None, reason="SEQONNX_OLD_RUNTIME names no interpreter")
def test_files_run_in_the_oldest_runtime(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(READERS))
    models = importlib.import_module("models")
    monkeypatch.delitem(sys.modules, "models")
    models.write_cases(tmp_path, NAMES)
    command = [PYTHON, READERS / "read.py", "onnxruntime", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["version"].startswith("1.16.")
    assert set(found["results"]) == set(NAMES)
    for name, apart in found["results"].items():
        assert isinstance(apart, float), f"{name}: {apart}"
        assert apart <= models.EXAMPLES[name].tolerance, f"{name} differs by {apart}"
