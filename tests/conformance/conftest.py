"""The verdicts of all tests here, in whichever process they ran."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest


class Verdicts:
    """A folder with a file of states for each module that has passed.

    Args:
        folder: folder that all processes of a run share.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, module: str, states: Sequence[str]) -> None:
        """Note what became of a module's cases."""
        part = self._folder / f"{module}.part"
        part.write_text("\n".join(states), encoding="utf-8")
        part.rename(self._folder / f"{module}.txt")

    def complete(self, modules: Sequence[str]) -> bool:
        """Whether all modules are there."""
        return all((self._folder / f"{module}.txt").exists() for module in modules)

    def share(self) -> tuple[int, float]:
        """Number of the applicable cases, and the part of them that passed."""
        files = self._folder.glob("*.txt")
        states = [s for file in files for s in file.read_text(encoding="utf-8").splitlines()]
        applicable = sum(state != "not applicable" for state in states)
        return applicable, states.count("passed") / applicable


@pytest.fixture(scope="session")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    """The states of all cases of the run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = folder / "conformance"
    folder.mkdir(exist_ok=True)
    return Verdicts(folder)
