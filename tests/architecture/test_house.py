"""House rules that a linter does not hold: what no file of the package may say."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "seqonnx").rglob("*.py"))

COMMAND = {"cli", "cli.py", "__main__.py"}  # the one room that prints and exits
ALLOWED_IN_COMMAND = {"prints", "exits"}
EXITS = {"exit", "quit", "sys.exit", "os._exit", "os.abort", "SystemExit"}
OUTSIDE = {"tests", "models", "tools", "tensorflow", "keras", "torch", "sklearn"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or an attribute, with `?` where it starts at another expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return "?"


def offence(node: ast.AST) -> str | None:
    """The rule that this node breaks."""
    match node:
        case ast.Call(func=function):
            name = dotted(function)
            if name == "print":
                return "prints"
            if name in EXITS:
                return "exits"
            if name == "hasattr":
                return "calls hasattr"
            if name.endswith(".__setattr__"):
                return "uses __setattr__"
            if name.endswith("ascontiguousarray"):
                return "makes scalars vectors"
        case ast.Raise(exc=ast.Name(id="SystemExit")):
            return "exits"
        case ast.FunctionDef(name="__setattr__"):
            return "uses __setattr__"
        case ast.Import(names=names) if any(a.name.split(".")[0] in OUTSIDE for a in names):
            return "imports from outside"
        case ast.ImportFrom(module=str(module), level=0) if module.split(".")[0] in OUTSIDE:
            return "imports from outside"
    return None


def offences(source: str) -> list[tuple[int, str]]:
    """Line and broken rule, for every offence in `source`."""
    found = [
        (node.lineno, rule)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt | ast.expr) and (rule := offence(node)) is not None
    ]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    found += [
        (token.start[0], "is unfinished")
        for token in tokens
        if token.type == tokenize.COMMENT and UNFINISHED.search(token.string)
    ]
    return sorted(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_keeps_the_house_rules(path):
    room = path.relative_to(ROOT / "seqonnx").parts[0]
    allowed = ALLOWED_IN_COMMAND if room in COMMAND else set()
    found = [found for found in offences(path.read_text("utf-8")) if found[1] not in allowed]
    assert found == []


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("print('x')", "prints"),
        ("import sys\nsys.exit(1)", "exits"),
        ("exit()", "exits"),
        ("raise SystemExit", "exits"),
        ("raise SystemExit(2)", "exits"),
        ("if hasattr(x, 'y'):\n    pass", "calls hasattr"),
        ("object.__setattr__(self, 'x', 1)", "uses __setattr__"),
        ("super().__setattr__('x', 1)", "uses __setattr__"),
        ("class C:\n    def __setattr__(self, name, value):\n        pass", "uses __setattr__"),
        ("np.ascontiguousarray(x)", "makes scalars vectors"),
        ("import tools.bench", "imports from outside"),
        ("def f():\n    from models import mnist_cnn", "imports from outside"),
        ("import torch", "imports from outside"),
        ("x = 1  # TODO: the rest", "is unfinished"),
    ],
)
def test_offence_is_found(source, rule):
    assert [found for _, found in offences(source)] == [rule]


@pytest.mark.parametrize(
    "source",
    [
        "console.print('x')",
        "from seqonnx import models",
        "from . import models",
        "import onnx.tools",
        "text = 'TODO print(x) sys.exit()'",
        "getattr(x, 'y', None)",
    ],
)
def test_innocent_code_is_left_alone(source):
    assert offences(source) == []
