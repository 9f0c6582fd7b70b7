"""The int8 file of docs/quantise.md gives in Node and Chromium what it gives in Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import seqonnx
from support.javascript.chromium import run_in_chromium

ROOT = Path(__file__).parents[2]
READERS = ROOT / "tools" / "checks" / "readers"
PACKAGES = os.environ.get("SEQONNX_JAVASCRIPT")
pytestmark = pytest.mark.skipif(
    PACKAGES is None,
    reason="set SEQONNX_JAVASCRIPT to the folder that tests/javascript/install.sh has filled",
)
NAME = "digits"
ROWS = 50


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The file that the page's example writes, with inputs and what ONNX Runtime makes of them."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "quantise.md").read_text(encoding="utf-8")
    example = re.search(r"## Calibration.*?```python\n(.*?)```", page, re.DOTALL)
    assert example is not None
    seqonnx.set_random_seed(0)
    names: dict[str, object] = {}
    exec(example[1], names)
    x = np.asarray(names["x_train"])[-ROWS:]
    session = onnxruntime.InferenceSession(f"{NAME}.onnx", providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    (y,) = session.run(None, {given.name: x})
    case = {
        "name": NAME,
        "inputs": [
            {"name": given.name, "type": "float32", "dims": x.shape, "data": x.ravel().tolist()}
        ],
        "outputs": [{"name": made.name, "data": y.ravel().tolist()}],
    }
    (tmp_path / "cases.json").write_text(json.dumps([case]))
    return tmp_path


def test_int8_file_of_the_guide_in_node_and_chromium(folder, tmp_path_factory):
    program = shutil.which("node")
    assert program is not None
    run = [program, str(READERS / "node.mjs"), str(PACKAGES), str(folder)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=True)
    kept = tmp_path_factory.mktemp("kept")
    places = {"packages": Path(str(PACKAGES), "node_modules"), "readers": READERS, "cases": folder}
    run_in_chromium("readers/page.html", places, kept, tmp_path_factory.mktemp("profile"))
    for read in (done.stdout.splitlines()[-1], (kept / "web.json").read_text()):
        # In parts of the largest probability; kernels round halves to either side.
        assert json.loads(read)["results"][NAME] < 0.02
