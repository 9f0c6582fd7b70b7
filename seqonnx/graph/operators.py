"""`op.Relu(x)`: every standard operator as a method, found by its name when it is used.

Type checkers and editors read `operators.pyi` instead, which is made from the same schemas.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

import onnx.defs

from seqonnx.graph.versions import OPSET


class Operators(ABC):
    """Every ONNX operator as a method: `op.Relu(x)` is `op.emit("Relu", (x,), {})`."""

    @abstractmethod
    def emit(self, op_type: str, args: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        """Append one node."""

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if not _is_operator(op_type):
            raise AttributeError(_unknown_operator(op_type, type(self)))
        return lambda *args, **attributes: self.emit(op_type, args, attributes)


@cache
def _is_operator(op_type: str) -> bool:
    """Whether the standard has this operator in the set that graphs are written in."""
    return onnx.defs.has(op_type, OPSET)


def _unknown_operator(op_type: str, kind: type) -> str:
    """Why an attribute is neither operator nor method, and which names are near."""
    names = {s.name.lower(): s.name for s in onnx.defs.get_all_schemas() if s.domain == ""}
    names = {low: name for low, name in names.items() if _is_operator(name)}
    names.update({name.lower(): name for name in dir(kind) if not name.startswith("_")})
    near = [names[low] for low in get_close_matches(op_type.lower(), names)]
    hint = f" Did you mean {' or '.join(f'`op.{name}`' for name in near)}?" if near else ""
    return f"'{op_type}' is not an ONNX operator nor a method of {kind.__name__}.{hint}"
