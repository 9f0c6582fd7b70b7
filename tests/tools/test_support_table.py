"""The table of operators is that of the code, and every decision in it has a reason."""

from __future__ import annotations

import re
from collections import Counter

import onnx
import pytest

from seqonnx.autodiff.ledger import DECISIONS, ledger, standard_says

FRESH = "docs/operators.md is stale: python tools/refresh/support_table.py"


@pytest.fixture
def tool(load):
    return load("tools/refresh/support_table.py")


@pytest.fixture
def recorded(tool) -> str:
    return tool.FILE.read_text("utf-8")


def without_the_standard(text: str) -> str:
    """The text without what depends on the release of onnx."""
    text = re.sub(r"\(onnx [\d.]+\)", "", text)
    return re.sub(r"\| (differentiable|not differentiable|unknown|no float input) \|", "|", text)


def test_recorded_table_is_that_of_the_code(tool, recorded):
    live = tool.render()
    if f"(onnx {'.'.join(onnx.__version__.split('.')[:2])})" in recorded:
        assert live == recorded, FRESH
    assert without_the_standard(live) == without_the_standard(recorded), FRESH


def test_table_lists_every_operator_once_and_the_counts_add_up(recorded):
    entries = ledger()
    table = recorded.partition("## All operators")[2]
    rows = re.findall(r"^\| (\w+) \| ([\w ]+) \| (.+) \|$", table, re.MULTILINE)[1:]
    assert rows == [(e.op_type, e.state, e.note) for e in entries]
    counts = {state: int(n) for state, n in re.findall(r"^\| ([\w ]+) \| (\d+) \|", recorded, re.M)}
    assert counts == {"missing": 0} | Counter(entry.state for entry in entries)


def test_what_the_standard_leaves_open_or_says_otherwise_is_decided_with_a_reason():
    agreed = {"differentiable": "rule", "not differentiable": "no gradient",
              "no float input": "no gradient"}  # fmt: skip
    open_ones = {
        entry.op_type
        for entry in ledger()
        if entry.state != "missing" and agreed.get(standard_says(entry.op_type)) != entry.state
    }
    assert len(open_ones) > 20
    assert open_ones - set(DECISIONS) == set()
    assert all(reason != "" and "|" not in reason for reason in DECISIONS.values())


def test_check_tells_a_stale_file_from_a_fresh_one(tool, monkeypatch, capsys, tmp_path):
    (tmp_path / "docs").mkdir()
    stale = tmp_path / "docs" / "operators.md"
    stale.write_text("old", "utf-8")
    names = tool.main.__globals__
    monkeypatch.setitem(names, "ROOT", tmp_path)
    monkeypatch.setitem(names, "FILE", stale)
    for arguments, code, said, left in (
        (["--check"], 1, f"{FRESH}\n", "old"),
        ([], 0, "docs/operators.md: changed\n", tool.render()),
        ([], 0, "docs/operators.md: unchanged\n", tool.render()),
        (["--check"], 0, "docs/operators.md is fresh\n", tool.render()),
    ):
        monkeypatch.setattr("sys.argv", ["support_table.py", *arguments])
        assert tool.main() == code
        assert capsys.readouterr().out == said
        assert stale.read_text("utf-8") == left
