"""How functions are found by name, in `seqonnx.ops` and in its modules."""

from __future__ import annotations

from typing import Any

from seqonnx import catalogue
from seqonnx.ops.missing import MISSING


def function(name: str, module: str) -> Any:
    """Return the function of a name.

    Args:
        name: its name.
        module: where it is asked for, such as `"seqonnx.ops"`.

    Raises:
        AttributeError: if there is none; says why, where Keras has it.
    """
    found = catalogue.find("op", name)
    if found is not None:
        return found
    reason = MISSING.get(name)
    if reason is None:
        raise AttributeError(f"module '{module}' has no attribute '{name}'")
    raise AttributeError(f"`{module}.{name}` of Keras is not here: it {reason}.")
