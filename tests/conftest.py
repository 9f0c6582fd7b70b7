"""All tests: garbage of the collection set aside, and the table of the standard's cases."""

from __future__ import annotations

import gc
import json
import os
from collections import Counter
from typing import Any

import pytest

from seqonnx.runtime.block_size import block_size

os.environ["SEQONNX_GRAPH_CACHE"] = "0"  # each session is made as if it were the first


@pytest.fixture(autouse=True, scope="session")
def _layout_found():
    """Sessions are opened to find the blocked layout: not within a test that counts them."""
    block_size()


def pytest_collection_finish() -> None:
    """Set all that collection has made aside: each garbage collection of a test would walk it.

    20,000 collected tests make a full collection last a quarter of a second.
    """
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many of the standard's cases passed, and why the others did not count."""
    rows = [row for report in _reports(terminalreporter) for row in _rows(report)]
    if len(rows) == 0:
        return
    states = Counter(row["state"] for row in rows)
    applicable = len(rows) - states["not applicable"]
    terminalreporter.section("gradients of the standard's own cases (onnx.backend.test)")
    lines = [(len(rows), "cases"), (states["not applicable"], "not applicable")]
    lines += _reasons(rows, "not applicable")
    lines += [(applicable, "applicable"), (states["passed"], "passed")]
    lines += [
        (count, f"  {what}")
        for what, count in (
            ("in float64, within 1e-6", sum(not row["single"] for row in _passed(rows))),
            ("in float32, within 1e-4: the operator has no float64", _count(rows, "single")),
            ("of these with scales, sizes or axes as constants", _count(rows, "baked")),
        )
    ]
    lines += [(states["failed"], "failed"), (states["excluded"], "excluded")]
    lines += _reasons(rows, "excluded")
    for count, what in lines:
        terminalreporter.write_line(f"{count:6}  {what}")
    if applicable > 0:
        terminalreporter.write_line(f"{states['passed'] / applicable:6.1%}  of the applicable pass")


def _reports(terminalreporter: Any) -> list[pytest.TestReport]:
    stats = terminalreporter.stats
    return [r for state in ("passed", "failed") for r in stats.get(state, []) if r.when == "call"]


def _rows(report: pytest.TestReport) -> list[dict[str, Any]]:
    texts = [str(value) for name, value in report.user_properties if name == "conformance"]
    return [row for text in texts for row in json.loads(text)]


def _passed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["state"] == "passed"]


def _count(rows: list[dict[str, Any]], mark: str) -> int:
    return sum(bool(row[mark]) for row in _passed(rows))


def _reasons(rows: list[dict[str, Any]], state: str) -> list[tuple[int, str]]:
    """Reasons for a state, the most frequent first."""
    counts = Counter(row["why"] for row in rows if row["state"] == state)
    return [(count, f"  {why}") for why, count in counts.most_common()]
