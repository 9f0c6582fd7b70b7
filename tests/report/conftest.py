"""A fixture of all tests of reports."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_width_in_the_environment(monkeypatch):
    """Runners of tests state a width for the terminal that is not there."""
    monkeypatch.delenv("COLUMNS", raising=False)
