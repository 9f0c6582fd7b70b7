"""Files and functions stay small enough to be read in one go."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "seqonnx").rglob("*.py"))

FILE_LINES = 400
FUNCTION_LINES = 40
COMPLEXITY = 12

Function = ast.FunctionDef | ast.AsyncFunctionDef


def body_length(function: Function, lines: list[str]) -> int:
    """Lines of code in the body; the signature, docstring, comments and blank lines are free."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    if len(body) == 0:
        return 0
    stretch = lines[body[0].lineno - 1 : body[-1].end_lineno]
    return sum(1 for line in stretch if line.strip() != "" and not line.lstrip().startswith("#"))


def long_functions(source: str) -> list[str]:
    """Names, line numbers and lengths of the functions that are over the budget."""
    lines = source.splitlines()
    return [
        f"{node.name} (line {node.lineno}): {length} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, Function) and (length := body_length(node, lines)) > FUNCTION_LINES
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_and_its_functions_keep_the_budget(path):
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= FILE_LINES
    assert long_functions(source) == []


def test_complexity_keeps_the_budget():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert settings["mccabe"]["max-complexity"] <= COMPLEXITY
    result = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "C901", "--ignore-noqa", "seqonnx"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_long_function_is_found_and_only_its_code_counts():
    body = ["    x = 1"] * FUNCTION_LINES
    free = ['    """Text.', "", '    More text."""', "    # Why.", ""]
    assert long_functions("\n".join(["def f(", "    a,", "):", *free, *body])) == []
    assert long_functions("\n".join(["class C:", " def f(", "    a,", " ):", *free, *body])) == []
    assert long_functions("\n".join(["async def f():", *free, *body, "    return x"])) == [
        "f (line 1): 41 lines"
    ]
