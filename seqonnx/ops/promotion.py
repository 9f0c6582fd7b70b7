"""The dtype that operands of different dtypes are brought to: Keras's lattice.

bool < integers < floating-point numbers; of two integers the wider, of two floats the wider
(float16 with bfloat16 is float32). A Python number takes the dtype of the tensors around it,
except that a float makes integers `config.floatx()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx import defaults, dtypes
from seqonnx.graph import Emitter, dtype_name, ir_dtype

_LARGEST: Final = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": 3.4028234663852886e38,
    "float64": 1.7976931348623157e308,
}


def tensor(op: Emitter, x: Any, dtype: str | None = None) -> ir.Value:
    """Return the graph value of a tensor, a number or a list.

    Args:
        op: emitter of the graph.
        x: a value, a number, or a list of numbers and values.
        dtype: dtype of what has none of its own; default int32, `config.floatx()` or bool.
    """
    if isinstance(x, ir.Value):
        return x
    if isinstance(x, list | tuple) and any(isinstance(part, ir.Value) for part in x):
        parts = promoted(op, *x)
        return op.Concat(*(op.Unsqueeze(part, [0]) for part in parts), axis=0)
    array = dtypes.to_array(x, None, "x")
    if not isinstance(x, np.ndarray | np.generic):  # NumPy makes int64 and float64 of Python's
        array = array.astype(
            {"i": "int32", "f": defaults.floatx()}.get(array.dtype.kind, array.dtype)
        )
    return op.constant(array if dtype is None else array.astype(dtype))


def promoted(op: Emitter, *operands: Any, at_least: str | None = None) -> list[ir.Value]:
    """Return operands as values of one dtype.

    Args:
        op: emitter of the graph.
        *operands: values, numbers and lists.
        at_least: a dtype that counts as one more operand, such as `"float32"` for a division.
    """
    dtype = result_type(*operands, *([] if at_least is None else [at_least]))
    return [op.cast(tensor(op, x, None if _strong(x) else dtype), dtype) for x in operands]


def arithmetic(op: Emitter, *operands: Any) -> list[ir.Value]:
    """Return operands as values of one dtype that has arithmetic: bools become int32."""
    found = result_type(*operands)
    return promoted(op, *operands, at_least="int32" if found == "bool" else None)


def floats(op: Emitter, *operands: Any) -> list[ir.Value]:
    """Return operands as values of one floating-point dtype: integers become `config.floatx()`."""
    found = result_type(*operands)
    return promoted(op, *operands, at_least=None if dtypes.is_float(found) else defaults.floatx())


def result_type(*operands: Any) -> str:
    """Return the dtype that operands are brought to.

    Args:
        *operands: values, dtypes, Python numbers and their types, and lists of them.

    Example:
        >>> result_type("int32", 1.5), result_type("float16", 2), result_type("bool", "uint8")
        ('float32', 'float16', 'uint8')
    """
    strong = [_dtype_of(x) for x in operands if _strong(x)]
    weak = [_kind_of(x) for x in operands if not _strong(x)]
    if len(operands) == 0:
        return defaults.floatx()
    dtype = _joined(strong) if len(strong) > 0 else None
    if "f" in weak and (dtype is None or not dtypes.is_float(dtype)):
        return defaults.floatx()
    if "i" in weak or "u" in weak:
        return "int32" if dtype in (None, "bool") else str(dtype)
    return "bool" if dtype is None else dtype


def _strong(x: Any) -> bool:
    """Whether an operand has a dtype of its own."""
    if isinstance(x, list | tuple):
        return any(_strong(part) for part in x)
    if isinstance(x, type):
        return x not in {bool, int, float}
    return isinstance(x, ir.Value | str | np.ndarray | np.generic | np.dtype)


def _kind_of(x: Any) -> str:
    """NumPy's letter for the kind of a Python number, or of a type of them."""
    return np.dtype(x).kind if isinstance(x, type) else np.asarray(x).dtype.kind


def _dtype_of(x: Any) -> str:
    if isinstance(x, list | tuple):
        return result_type(*x)
    if isinstance(x, ir.Value):
        return dtype_name(x)
    if isinstance(x, str | type | np.dtype):
        return dtypes.standardize(x)
    return np.asarray(x).dtype.name


def _joined(found: Sequence[str]) -> str:
    """The smallest dtype that holds all of these; int64 with uint64 is float32, as in Keras."""
    kinds = set(found)
    if len(kinds) == 1:
        return found[0]
    floating = {dtype for dtype in kinds if dtypes.is_float(dtype)}
    if "float64" in floating:
        return "float64"
    if len(floating) > 0:
        return floating.pop() if len(floating) == 1 else "float32"
    kinds.discard("bool")
    joined = np.result_type(*(np.dtype(dtype) for dtype in kinds)).name
    return "float32" if joined == "float64" else joined


def floating(op: Emitter, x: Any) -> ir.Value:
    """Return an operand as a value of a floating-point dtype: integers become `config.floatx()`."""
    return floats(op, x)[0]


def number(op: Emitter, x: float, like: ir.Value) -> ir.Value:
    """Return a number as a scalar of the dtype of a value."""
    return op.constant(np.array(x, ir_dtype(dtype_name(like)).numpy()))


def largest(dtype: str) -> float:
    """Return the largest number of a floating-point dtype."""
    return _LARGEST[dtype]


def without_bool(op: Emitter, x: Any) -> ir.Value:
    """Return a value; bools as int32, for arithmetic that has no bools."""
    x = tensor(op, x)
    return op.cast(x, "int32") if dtype_name(x) == "bool" else x
