"""Write down which of Keras's tensor functions there are, and what each becomes in ONNX.

    python tools/refresh/ops_table.py [--check]

The table goes to `docs/ops.md`; a test compares it with what the functions emit for the cases of
`tests/ops/cases.py`. With `--check` nothing is written, and the exit code is 1 where it is stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the checkout, not an installed copy
sys.path.insert(0, str(ROOT / "tests" / "ops"))

from cases import CASES  # noqa: E402

from seqonnx import ops  # noqa: E402
from seqonnx.graph import Emitter, Trace, TracedTensor  # noqa: E402
from seqonnx.graph.reading import subgraphs_of  # noqa: E402
from seqonnx.graph.tracing import tracing  # noqa: E402
from seqonnx.ops.missing import MISSING  # noqa: E402
from seqonnx.structures import put_back, take_out  # noqa: E402

FILE = ROOT / "docs" / "ops.md"
COMMAND = "python tools/refresh/ops_table.py"
NAMES = ROOT / "tests" / "ops" / "keras_names.json"
X = np.array([[1.0, -2.0, 3.0]], np.float32)
OTHERS: dict[str, Callable[[Any], Any]] = {
    "argpartition": lambda x: ops.argpartition(x, 1),
    "associative_scan": lambda x: ops.associative_scan(ops.add, x, axis=1),
    "cond": lambda x: ops.cond(ops.any(x > 0), lambda: x, lambda: -x),
    "conj": ops.conj,
    "conjugate": ops.conjugate,
    "empty": lambda x: ops.empty((2, 3)),
    "empty_like": ops.empty_like,
    "fori_loop": lambda x: ops.fori_loop(0, 3, lambda i, y: y + x, x),
    "get_item": lambda x: x[:, -1],
    "imag": ops.imag,
    "istft": lambda x: ops.istft((x[None], x[None]), 4, 2, 4),
    "map": lambda x: ops.map(lambda row: row * row, x),
    "scan": lambda x: ops.scan(lambda s, row: (s + row, s), x[0], x),
    "switch": lambda x: ops.switch(ops.size(x) - ops.argmax(x), [lambda y: y, lambda y: -y], x),
    "vectorized_map": lambda x: ops.vectorized_map(lambda row: row * row, x),
    "while_loop": lambda x: ops.while_loop(lambda y: ops.all(y < 9), lambda y: y + 1, x),
}
"""Calls of the functions that the cases do not have."""
IN_PYTHON = {
    "convert_to_numpy": "an array of NumPy",
    "dtype": "a text",
    "is_tensor": "True or False",
    "ndim": "an integer",
    "shape": "integers; of a size that is not known: Shape, Squeeze, Cast",
    "size": "an integer; of a size that is not known: Shape, Squeeze, Mul, Cast",
    **dict.fromkeys(
        ("array", "conj", "conjugate", "convert_to_tensor", "real"), "the tensor itself"
    ),
}
"""Functions that emit nothing."""
MODULES = ("image", "linalg", "nn", "numpy")


def operators(name: str) -> list[str]:
    """Return the operators that a call of a function emits, in order, each once."""
    op = Emitter()
    with tracing(Trace(op, training=False)):
        case = next((case for case in CASES if case.name == name), None)
        if case is None:
            OTHERS[name](TracedTensor(op.input("x", "float32", X.shape)))
        else:
            arrays: list[Any] = []
            pattern = take_out([case.args, case.kwargs], is_array, arrays)
            args, kwargs = put_back(pattern, [_tensor(op, array) for array in arrays])
            function: Any = ops
            for part in name.split("."):
                function = getattr(function, part)
            function(*args, **kwargs)
    return list(dict.fromkeys(_types(op.graph)))


def is_array(part: Any) -> bool:
    """Whether a part of the arguments is an array."""
    return isinstance(part, np.ndarray)


def _tensor(op: Emitter, array: Any) -> TracedTensor:
    return TracedTensor(op.input("x", array.dtype.name, array.shape))


def _types(nodes: Iterable[Any]) -> Iterable[str]:
    for node in nodes:
        yield node.op_type
        for body in subgraphs_of(node):
            yield from _types(body)


def render() -> str:
    """Return the text of the file."""
    names = json.loads(NAMES.read_text("utf-8"))
    functions = [name for name in names["ops"] if name not in MODULES]
    image = [f"image.{name}" for name in names["image"]]
    here = [name for name in functions if name not in MISSING]
    images = [name for name in image if name.removeprefix("image.") not in MISSING]
    return f"""# Functions of tensors

<!-- Made by `{COMMAND}`: change the code, then run it. -->

`seqonnx.ops` has {len(here)} of the {len(functions)} functions of `keras.ops` (Keras 3.15), and
{len(images)} of the {len(image)} of `keras.ops.image`, with Keras's arguments and dtypes. The
modules `ops.image`, `ops.linalg`, `ops.nn` and `ops.numpy` have Keras's names, too.

A function may be called

- on arrays: it computes, in a session that is kept for the next call;
- on symbolic tensors: it becomes a node of the model, which files keep with its arguments;
- inside a `call` that works on tensors: it emits.

```python
import numpy as np
import seqonnx as keras
from seqonnx import ops

x = keras.Input((3,))
model = keras.Model(x, ops.softmax(x[:, :2] * 2.0) - ops.mean(x, axis=1, keepdims=True))
print(np.round(model(np.array([[1.0, 0.5, -1.5]], np.float32)), 3))
print(ops.top_k([0.5, 2.5, 1.5], 2)[1])
```

```text
[[0.731 0.269]]
[1 2]
```

Differences from Keras: int64 stays int64 (some of Keras's backends make it int32), float64 arrays
are computed with in float32, and `shape` gives integers where sizes are known and scalar tensors
where they are not. The functions that are given to `cond`, `switch`, `while_loop`, `fori_loop`,
`scan` and `map` may use the tensors around them inside of a `call`; a model with such a function as
a node of its own cannot be saved: put it into a layer.

## What is missing

| function | reason |
|---|---|
{_missing(functions)}

## What each becomes

The operators of the graph for one call, each once; constants are left out. Other arguments may
need fewer or more.

| function | operators |
|---|---|
{_rows([*here, *images])}
"""


def _missing(functions: list[str]) -> str:
    rows = [f"| `{name}` | {MISSING[name]} |" for name in functions if name in MISSING]
    others = [name for name in sorted(MISSING) if name not in functions]
    rows += [f"| `image.{name}` | {MISSING[name]} |" for name in others]
    return "\n".join(rows)


def _rows(names: list[str]) -> str:
    lines = []
    for name in names:
        made = IN_PYTHON.get(name) or ", ".join(operators(name)) or "a constant"
        lines.append(f"| `{name}` | {made} |")
    return "\n".join(lines)


def main() -> int:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether the file is stale")
    check = parser.parse_args().check
    text = render()
    stale = not FILE.exists() or FILE.read_text("utf-8") != text
    if check:
        print(f"{FILE.relative_to(ROOT)}: {'stale; run ' + COMMAND if stale else 'current'}")
        return int(stale)
    FILE.write_text(text, "utf-8")
    print(f"{FILE.relative_to(ROOT)}: {'changed' if stale else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
