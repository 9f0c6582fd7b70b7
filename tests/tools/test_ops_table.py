"""`docs/ops.md` says what the functions of tensors emit today."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "refresh" / "ops_table.py"))


def test_page_is_fresh():
    page = (ROOT / "docs" / "ops.md").read_text("utf-8")
    assert page == TOOL["render"](), "docs/ops.md is stale: python tools/refresh/ops_table.py"


def test_operators_are_those_of_a_call():
    assert TOOL["operators"]("square") == ["Mul"]
    assert "Loop" in TOOL["operators"]("while_loop")
