"""Trainings that are killed at random moments end like one that nobody has killed, bit for bit.

SEQONNX_BACKUP_KILLS=1000 python -m pytest -m slow tests/reliability/test_backup_kills.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import seqonnx as keras

KILLS = int(os.environ.get("SEQONNX_BACKUP_KILLS", "100"))
SCRIPT = Path(__file__).parents[1] / "support" / "reliability" / "backup_kills.py"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(keras.__file__).parents[1])}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.slow  # crashes in the process itself are in tests/callbacks/test_backup_and_restore.py
@pytest.mark.parametrize(("kills", "kinds"), [(3, ["batches"]), (KILLS, [])])
def test_killed_trainings_end_with_the_bits_of_the_undisturbed_one(kills, kinds, tmp_path):
    command = [sys.executable, str(SCRIPT), str(tmp_path), str(kills), "0", *kinds]
    result = subprocess.run(
        command,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120 + 20 * kills,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["faults"] == [], result.stderr
    assert report["seen"]["kills"] >= kills
    assert report["seen"].get("resumed", 0) > 0
