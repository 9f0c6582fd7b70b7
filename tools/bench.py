"""Runs `tools/bench/bench.py`, whose help says what it does."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

folder = Path(__file__).resolve().parent / "bench"
sys.path.insert(0, str(folder))
runpy.run_path(str(folder / "bench.py"), run_name="__main__")
