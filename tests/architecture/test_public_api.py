"""The public interface changes only on purpose: it is recorded beside this test."""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).with_name("public_api.txt")
TOOL = runpy.run_path(str(ROOT / "tools" / "refresh" / "public_api.py"))


def test_interface_is_the_recorded_one():
    live = TOOL["render"]()
    assert live == RECORDED.read_text("utf-8"), (
        "The public interface changed. If that is meant: python tools/refresh/refresh_golden.py api"
    )


@pytest.mark.parametrize("name", TOOL["MODULES"])
def test_every_public_name_is_unique_and_documented(name):
    module = importlib.import_module(name)
    names = module.__all__
    assert len(names) == len(set(names)) > 0
    undocumented = [
        public
        for public in names
        if callable(getattr(module, public)) and not inspect.getdoc(getattr(module, public))
    ]
    assert undocumented == []


class Base:
    def __init__(self, *, name=None):
        self.name = name

    def build(self, shape):
        pass

    @property
    def weights(self):
        return []


class _Hidden(Base):
    def pool(self, size=(2, 2)):
        pass

    def _private(self):
        pass


class Leaf(_Hidden):
    def __init__(self, units: int, activation: str | None = None, *args, **options):
        pass

    def build(self, shape, again=True):
        pass

    @property
    def rate(self):
        return 0.1

    @rate.setter
    def rate(self, value):
        pass

    @classmethod
    def from_config(cls, config):
        pass

    @staticmethod
    def helper(x):
        pass


class Colour(enum.Enum):
    RED = 1


class BadError(ValueError):
    pass


@pytest.fixture
def module(monkeypatch):
    module = ModuleType("fake_public_module")
    module.Base, module.Leaf, module.Colour, module.BadError = Base, Leaf, Colour, BadError
    module.function = lambda x, /, y=test_interface_is_the_recorded_one, *, z=1.5: None
    module.LIMIT = 3
    module.inner = functools
    module.hidden = 1
    module.__all__ = ["Base", "BadError", "Colour", "LIMIT", "Leaf", "function", "inner"]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_text_shows_names_arguments_defaults_and_what_a_class_adds(module):
    text = TOOL["render"]([module.__name__])
    assert text.startswith(TOOL["HEADER"])
    assert text.removeprefix(TOOL["HEADER"]).splitlines() == [
        "",
        "fake_public_module",
        "    class BadError(ValueError)",
        "    class Base(*, name=None)",
        "        build(self, shape)",
        "        weights (property)",
        "    class Colour(Enum)",
        "        RED",
        "    LIMIT: int",
        "    class Leaf(units, activation=None, *args, **options)",
        "        from_config(cls, config) (classmethod)",
        "        helper(x) (staticmethod)",
        "        pool(self, size=(2, 2))",
        "        rate (property, settable)",
        "    function(x, /, y=<test_interface_is_the_recorded_one>, *, z=1.5)",
        "    inner (module)",
    ]


def test_removed_argument_changes_the_text(module, monkeypatch):
    before = TOOL["render"]([module.__name__])
    monkeypatch.setattr(Leaf, "build", lambda self: None)
    assert TOOL["render"]([module.__name__]) == before  # inherited: told by the listed base
    monkeypatch.setattr(Base, "build", lambda self: None)
    assert TOOL["render"]([module.__name__]) != before
