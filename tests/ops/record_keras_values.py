"""Record what Keras gives for each case: run this where Keras is installed.

    KERAS_BACKEND=torch python tests/ops/record_keras_values.py

Recorded with Keras 3.15.1 on PyTorch 2.13. Values come from a call on arrays. The dtypes are those
that Keras declares for symbolic tensors, which are the same for each of its backends; PyTorch's
own rules for numbers differ from them in places.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from cases import CASES

HERE = Path(__file__).parent


def find(name: str) -> Any:
    """Return the function of a name."""
    function = keras.ops
    for part in name.split("."):
        function = getattr(function, part)
    return function


def plain(result: Any) -> Any:
    """Return what a call gave as values that JSON can hold."""
    if isinstance(result, tuple | list):
        return [plain(part) for part in result]
    if isinstance(result, int) and not isinstance(result, bool):
        return result
    array = np.asarray(keras.ops.convert_to_numpy(result))
    if array.dtype.kind == "f":
        values = [float(f"{float(value):.8g}") for value in array.astype(np.float64).reshape(-1)]
    else:
        values = array.reshape(-1).tolist()
    return {"values": values, "shape": list(array.shape), "dtype": array.dtype.name}


def symbolic(value: Any) -> Any:
    """Return arguments with symbolic tensors in the place of arrays."""
    if isinstance(value, np.ndarray):
        return keras.KerasTensor(value.shape, dtype=value.dtype.name)
    if isinstance(value, list | tuple):
        return type(value)(symbolic(part) for part in value)
    return value


def declared(case: Any) -> Any:
    """Return the dtypes that Keras declares for a case; None if it makes no symbolic call."""
    try:
        result = find(case.name)(*symbolic(case.args), **case.kwargs)
    except Exception as error:
        print(f"{case.id}: no symbolic call: {str(error)[:90]!r}")
        return None
    parts = result if isinstance(result, tuple | list) else [result]
    return [part.dtype if isinstance(part, keras.KerasTensor) else None for part in parts]


def main() -> None:
    """Record all cases, and the arguments of all functions."""
    recorded = {}
    for case in CASES:
        try:
            result = find(case.name)(*case.args, **case.kwargs)
        except (AttributeError, TypeError):  # some take tensors alone
            tensors = [keras.ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x
                       for x in case.args]  # fmt: skip
            result = find(case.name)(*tensors, **case.kwargs)
        recorded[case.id] = {"result": plain(result), "declared": declared(case)}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in recorded.items())
    (HERE / "keras_values.json").write_text(f"{{\n{lines}\n}}\n", "utf-8")
    signatures = {}
    for prefix, module in (("", keras.ops), ("image.", keras.ops.image)):
        for name in dir(module):
            function = getattr(module, name)
            if not name.startswith("_") and callable(function):
                parameters = inspect.signature(function).parameters.values()
                signatures[prefix + name] = [str(p) for p in parameters]
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(signatures.items()))
    (HERE / "keras_signatures.json").write_text(f"{{\n{lines}\n}}\n", "utf-8")
    modules = {m: [n for n in dir(getattr(keras.ops, m)) if not n.startswith("_")]
               for m in ("image", "linalg", "nn", "numpy")}  # fmt: skip
    modules["ops"] = [name for name in dir(keras.ops) if not name.startswith("_")]
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(modules.items()))
    (HERE / "keras_names.json").write_text(f"{{\n{lines}\n}}\n", "utf-8")


if __name__ == "__main__":
    main()
