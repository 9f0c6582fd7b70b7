"""Where the disk is full, the old file stays whole, the error names the file, the process lives."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import seqonnx as keras

pytest.importorskip("h5py", reason="`.weights.h5` needs h5py")

SCRIPT = Path(__file__).parents[1] / "support" / "reliability" / "full_disk.py"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(keras.__file__).parents[1])}
FORMATS = {
    "save",
    "data file",
    "export",
    "npz",
    "h5",
    "checkpoint",
    "weights checkpoint",
    "models",
    "table",
    "table with a new column",
}


def write_everything(folder: Path, how: str) -> dict[str, dict[str, object]]:
    """Run every writer; returns the report of each."""
    command = [sys.executable, str(SCRIPT), str(folder), how]
    result = subprocess.run(
        command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr  # negative: a signal, as HDF5 used to end it
    report = json.loads(result.stdout)
    assert set(report) == FORMATS
    return report


def wrong(report: dict[str, dict[str, object]], expected: int) -> dict[str, dict[str, object]]:
    """Reports other than they must be."""
    wanted = {"error": expected, "file": True, "unchanged": True, "written later": True}
    return {name: found for name, found in report.items() if not wanted.items() <= found.items()}


def test_file_that_may_not_grow_leaves_the_old_one_and_is_named(tmp_path):
    pytest.importorskip("resource", reason="limits of files are of POSIX")
    assert wrong(write_everything(tmp_path, "limit"), errno.EFBIG) == {}


def test_full_disk_leaves_the_old_file_and_is_named(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk can be mounted by root only; the limit of a file is tested above")
    try:
        report = write_everything(tmp_path, "fill")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert wrong(report, errno.ENOSPC) == {}
