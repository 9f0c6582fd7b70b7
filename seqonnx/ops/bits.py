"""Operations on the bits of integers, by element."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.promotion import number, promoted, tensor
from seqonnx.tensor_function import tensor_function

_UNSIGNED = {"int8": "uint8", "int16": "uint16", "int32": "uint32", "int64": "uint64"}


@tensor_function()
def bitwise_and(op: Emitter, x: Any, y: Any) -> ir.Value:
    """Return the bits that are set in both.

    Args:
        x: tensor of integers or bools.
        y: tensor of integers or bools.

    Example:
        >>> bitwise_and([6], [3]).tolist()
        [2]
    """
    x, y = promoted(op, x, y)
    return op.And(x, y) if dtype_name(x) == "bool" else op.BitwiseAnd(x, y)


@tensor_function()
def bitwise_or(op: Emitter, x: Any, y: Any) -> ir.Value:
    """Return the bits that are set in one or both."""
    x, y = promoted(op, x, y)
    return op.Or(x, y) if dtype_name(x) == "bool" else op.BitwiseOr(x, y)


@tensor_function()
def bitwise_xor(op: Emitter, x: Any, y: Any) -> ir.Value:
    """Return the bits that are set in just one."""
    x, y = promoted(op, x, y)
    return op.Xor(x, y) if dtype_name(x) == "bool" else op.BitwiseXor(x, y)


@tensor_function("bitwise_invert")
def bitwise_not(op: Emitter, x: Any) -> ir.Value:
    """Return the bits that are not set."""
    x = tensor(op, x)
    return op.Not(x) if dtype_name(x) == "bool" else op.BitwiseNot(x)


@tensor_function("left_shift")
def bitwise_left_shift(op: Emitter, x: Any, y: Any) -> ir.Value:
    """Return x with its bits moved up by y places; those above the dtype are lost."""
    x, y = promoted(op, x, y)
    dtype = dtype_name(x)
    unsigned = _UNSIGNED.get(dtype, dtype)
    moved = op.BitShift(op.cast(x, unsigned), op.cast(y, unsigned), direction="LEFT")
    return op.cast(moved, dtype)


@tensor_function("right_shift")
def bitwise_right_shift(op: Emitter, x: Any, y: Any) -> ir.Value:
    """Return x with its bits moved down by y places; negative numbers keep their sign."""
    x, y = promoted(op, x, y)
    dtype = dtype_name(x)
    if dtype not in _UNSIGNED:
        return op.BitShift(x, y, direction="RIGHT")
    # ONNX shifts unsigned numbers: the complement of a negative number has no sign.
    unsigned = _UNSIGNED[dtype]
    negative = op.Less(x, number(op, 0, x))
    bits = op.cast(op.Where(negative, op.BitwiseNot(x), x), unsigned)
    moved = op.cast(op.BitShift(bits, op.cast(y, unsigned), direction="RIGHT"), dtype)
    return op.Where(negative, op.BitwiseNot(moved), moved)
