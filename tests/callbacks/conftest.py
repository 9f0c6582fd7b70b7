"""A model that does what callbacks ask of one, and a console to read back."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console


class FakeModel:
    """Weights that change by one per epoch, and a record of what was asked."""

    name = "fake"

    def __init__(self):
        self.stop_training = False
        self.optimizer = SimpleNamespace(learning_rate=0.1)
        self.weight = 0.0
        self.saved = []

    def get_weights(self):
        return [np.array([self.weight])]

    def set_weights(self, weights):
        self.weight = float(weights[0][0])

    def save(self, filepath):
        self.saved.append(("model", filepath))
        Path(filepath).write_text("model", "utf-8")

    def save_weights(self, filepath):
        self.saved.append(("weights", filepath))
        Path(filepath).write_text("weights", "utf-8")


@pytest.fixture
def model():
    return FakeModel()


@pytest.fixture
def plain():
    """A console that is no terminal."""
    return Console(file=io.StringIO(), width=80, force_terminal=False, legacy_windows=False)


@pytest.fixture
def terminal():
    """A terminal without colours."""
    return Console(
        file=io.StringIO(), width=100, force_terminal=True, no_color=True, color_system=None
    )
