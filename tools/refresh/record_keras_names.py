"""Write tests/support/keras_names.json: the public names of an installed Keras (3.15.1).

    KERAS_BACKEND=torch python tools/refresh/record_keras_names.py

Run it in an environment that has Keras; nothing else reads Keras. The file maps a module to its
names, and a name to its arguments: each with its kind and the text of its default, or null. The
functions of `keras.ops` are left out: `tests/ops/keras_names.json` has them.
"""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from types import ModuleType
from typing import Any

TARGET = Path(__file__).parents[2] / "tests" / "support" / "keras_names.json"
Argument = tuple[str, str, str | None]


def arguments(thing: Any) -> list[Argument]:
    """Return the name, the kind and the default of each argument."""
    given = inspect.signature(thing).parameters.values()
    return [
        (each.name, each.kind.name, None if each.default is each.empty else repr(each.default))
        for each in given
    ]


def walk(module: ModuleType, name: str, found: dict[str, dict[str, list[Argument]]]) -> None:
    """Add the names of a public module, and of those below it."""
    public = {each: getattr(module, each) for each in dir(module) if not each.startswith("_")}
    things = {each: thing for each, thing in public.items() if not inspect.ismodule(thing)}
    if len(things) > 0:
        found[name] = {each: arguments(thing) for each, thing in things.items()}
    for each, below in public.items():
        own = inspect.ismodule(below) and below.__name__.startswith("keras")
        if own and ".src" not in below.__name__ and f"{name}.{each}" != "keras.ops":
            walk(below, f"{name}.{each}", found)


def main() -> None:
    """Write the file, a name to a line."""
    found: dict[str, dict[str, list[Argument]]] = {}
    walk(importlib.import_module("keras"), "keras", found)
    modules = []
    for module, names in sorted(found.items()):
        lines = [f'  "{name}": {json.dumps(those)}' for name, those in sorted(names.items())]
        modules.append(f' "{module}": {{\n' + ",\n".join(lines) + "\n }")
    TARGET.write_text("{\n" + ",\n".join(modules) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
