"""Fixtures shared by the tests of tools and models."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.sessions import settings

__all__ = ["load", "run_script", "settings"]

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def load():
    """Load a script of the checkout as a namespace, without its `main`."""

    def load_script(path: str) -> SimpleNamespace:
        return SimpleNamespace(**runpy.run_path(str(ROOT / path)))

    return load_script


@pytest.fixture
def run_script(tmp_path) -> Run:
    """Run a script of the checkout as a user does, in a folder of its own, on the CPU."""

    def run(script: str, *arguments: object, **environment: str):
        variables = {"PYTHONPATH": str(ROOT), "SEQONNX_DEVICE": "cpu", "COLUMNS": "120"}
        return subprocess.run(
            [sys.executable, str(ROOT / script), *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **variables, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
