"""No module imports itself by way of others: not at run time, for types, nor inside a function.

Counted is what stands in the source: imports under TYPE_CHECKING and inside functions, too. Left
out are only the functions of a package's `__init__`, which load its modules when they are used.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "seqonnx"


def modules(package: Path) -> dict[str, Path]:
    """Modules of a package by their full names."""
    files = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


def statements(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements of a file."""
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while len(pending) > 0:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        lazy = path.name == "__init__.py" and isinstance(node, ast.FunctionDef)
        pending.extend([] if lazy else ast.iter_child_nodes(node))


def imports(files: dict[str, Path]) -> dict[str, set[str]]:
    """For each module, which others it imports."""
    graph: dict[str, set[str]] = {}
    for name, path in files.items():
        wanted = set()
        for statement in statements(path):
            if isinstance(statement, ast.Import):
                wanted |= {alias.name for alias in statement.names}
                continue
            assert statement.level == 0, f"{path}: imports are absolute"
            inside = [f"{statement.module}.{alias.name}" for alias in statement.names]
            wanted |= {full if full in files else str(statement.module) for full in inside}
        graph[name] = wanted & files.keys() - {name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules each of which reaches all others of its group."""
    reached = {}
    for start, direct in graph.items():
        seen: set[str] = set()
        pending = list(direct)
        while len(pending) > 0:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                pending.extend(graph[name])
        reached[start] = seen
    groups = {frozenset(n for n in reached[m] if m in reached[n]) for m in graph if m in reached[m]}
    return [set(group) for group in sorted(groups, key=sorted)]


def test_no_module_imports_itself_by_way_of_others():
    found = circles(imports(modules(PACKAGE)))
    assert [sorted(c) for c in found] == [], "to defer an import does not break a circle"


@pytest.mark.parametrize(
    "back",
    [
        "from own.a import A",
        "import own.a",
        "from own import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from own.a import A",
        "def f():\n    from own.a import A",
        "class C:\n    async def f(self):\n        from own import a",
    ],
)
def test_circle_is_found_however_it_is_written(tmp_path, back):
    package = tmp_path / "own"
    package.mkdir()
    lazy = "def __getattr__(name):\n    from own import a, b, c\n"
    sources = {"__init__": lazy, "a": "from own.b import B", "b": back, "c": "from own.a import A"}
    for name, source in sources.items():
        (package / f"{name}.py").write_text(source, "utf-8")
    assert circles(imports(modules(package))) == [{"own.a", "own.b"}]
