"""Write seqonnx/export/keras_operations.py from the classes of an installed Keras (3.15.1).

    KERAS_BACKEND=torch python tools/refresh/keras_operations.py

Run it in an environment that has both Keras and seqonnx; nothing else reads Keras.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from pathlib import Path

import seqonnx.ops  # noqa: F401  (fills the catalogue)
from seqonnx.catalogue import entries

TARGET = Path(__file__).parents[2] / "seqonnx" / "export" / "keras_operations.py"
MODULES = ("core", "image", "linalg", "math", "nn", "numpy")
SHORTENED = {
    "batchnormalization": "batchnorm",
    "layernormalization": "layernorm",
    "rmsnormalization": "rmsnorm",
}
HEAD = '''\
"""Classes that Keras has for its functions: what a file of Keras's calls a node of the graph.

Written by tools/refresh/keras_operations.py from Keras 3.15.1. A line is the module (in
`keras.src.ops`), the class, and the arguments of its constructor; the others belong to its calls.
"""

from __future__ import annotations

from typing import Final

_TABLE: Final = """
'''
TAIL = '''"""

OPERATIONS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    function: (module, name, tuple(arguments))
    for function, module, name, *arguments in map(str.split, _TABLE.strip().splitlines())
}
"""Module, class and arguments of the constructor, by function."""
'''


def classes() -> dict[str, tuple[str, type]]:
    """Keras's operations by their names in lower case."""
    operation = importlib.import_module("keras.src.ops.operation").Operation
    found: dict[str, tuple[str, type]] = {}
    for module in MODULES:
        room = importlib.import_module(f"keras.src.ops.{module}")
        for name, each in vars(room).items():
            own = inspect.isclass(each) and each.__module__ == room.__name__
            if own and issubclass(each, operation):
                found.setdefault(name.lower(), (module, each))
    return found


def main() -> None:
    """Write the table."""
    known, lines = classes(), []
    for function, ours in sorted(entries("op").items()):
        bare = function.replace("_", "")
        found = known.get(bare, known.get(SHORTENED.get(bare, bare)))
        if found is None:
            continue
        module, cls = found
        own = inspect.signature(ours).parameters
        arguments = [p for p in inspect.signature(cls.__init__).parameters if p in own]
        line = " ".join([function, module, cls.__name__, *arguments])
        lines.append(" \\\n".join(textwrap.wrap(line, 96)))
    TARGET.write_text(HEAD + "\n".join(lines) + "\n" + TAIL, encoding="utf-8")


if __name__ == "__main__":
    main()
