"""Lets the test files of this folder import the helper of the layers' tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "layers"))
