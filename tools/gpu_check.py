"""Runs `tools/gpu_check.py`, whose help says what it does."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

folder = Path(__file__).resolve().parent / "checks"
sys.path.insert(0, str(folder))
runpy.run_path(str(folder / "gpu_check.py"), run_name="__main__")
