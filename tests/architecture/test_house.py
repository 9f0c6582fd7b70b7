"""House rules that a linter does not hold: what no file may say, its words and its names."""

from __future__ import annotations

import ast
import importlib
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "seqonnx").rglob("*.py"))

COMMAND = {"cli", "cli.py", "__main__.py"}  # the one room that prints and exits
ALLOWED_IN_COMMAND = {"prints", "exits"}
ALLOWED_IN_WRAPPERS = {"imports from outside"}  # an estimator is a class of scikit-learn
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
    allowed |= ALLOWED_IN_WRAPPERS if room == "wrappers" else set()
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


# Words.

WRITTEN = sorted(
    path for room in ("models", "seqonnx", "tests", "tools") for path in (ROOT / room).rglob("*.py")
)
FORBIDDEN = re.compile(
    r"\b(element\s+types?|laid\s+end\s+to\s+end|truth\s+values?)\b", re.IGNORECASE
)
"""The field says dtype, concatenated and bool."""


def described(tree: ast.AST) -> Iterator[ast.Constant]:
    """The texts that stand alone: docstrings, and descriptions under names."""
    for node in ast.walk(tree):
        body = getattr(node, "body", [])
        for statement in body if isinstance(body, list) else []:
            match statement:
                case ast.Expr(value=ast.Constant(value=str()) as text):
                    yield text


def beginnings(source: str) -> list[int]:
    """Lines of the docstrings that begin with "What" and so do not name the thing."""
    texts = described(ast.parse(source))
    return [text.lineno for text in texts if text.value.lstrip().startswith("What")]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_name_the_thing(path):
    assert beginnings(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_words_are_those_of_the_field(path):
    assert FORBIDDEN.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        '"""What a module holds."""',
        'def f():\n    """What it gives.\n\n    More.\n    """',
        'class C:\n    r"""  What it is."""',
        'class C:\n    x: int\n    """What x is."""',
        'X = 1\n"""Whatever."""',
    ],
)
def test_docstring_that_does_not_name_the_thing_is_found(source):
    assert len(beginnings(source)) == 1
    assert beginnings(source.replace("What", "The part that")) == []


# Names.

PUBLIC = [
    line
    for line in (ROOT / "tests/architecture/public_api.txt").read_text("utf-8").splitlines()
    if line.startswith("seqonnx")
]
"""The modules whose names users see."""


def classes(path: Path) -> Iterator[tuple[str, str]]:
    """The module and the name of each class in a file, nested ones too."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield module, node.name


def exported() -> set[tuple[str, str]]:
    """The module and the name of each class in the `__all__` of a public module."""
    modules = [importlib.import_module(name) for name in PUBLIC]
    values = [getattr(module, name) for module in modules for name in module.__all__]
    return {(value.__module__, value.__name__) for value in values if isinstance(value, type)}


def shared_names(found: Iterable[tuple[str, str]], public: set[tuple[str, str]]) -> list[str]:
    """Names of several classes that are not all public, as Keras's loss and metric `Hinge` are."""
    places: dict[str, set[tuple[str, str]]] = {}
    for place in found:
        places.setdefault(place[1], set()).add(place)
    return sorted(name for name, own in places.items() if len(own) > 1 and not own <= public)


def test_no_internal_class_shares_its_name():
    found = [place for path in FILES for place in classes(path)]
    public = exported()
    assert {("seqonnx.losses.hinge", "Hinge"), ("seqonnx.metrics.probability", "Hinge")} <= public
    assert shared_names(found, public) == []


def test_shared_name_is_found():
    inner, outer, public = ("a", "Entry"), ("b", "Entry"), ("b", "Hinge")
    assert shared_names([inner, outer], {outer}) == ["Entry"]
    assert shared_names([("a", "Hinge"), public], {("a", "Hinge"), public}) == []
