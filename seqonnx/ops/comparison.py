"""Comparison and logic by element; sizes of 1 and missing axes are broadcast."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.ops.promotion import promoted, tensor
from seqonnx.tensor_function import tensor_function


@tensor_function()
def equal(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 = x2.

    Args:
        x1: tensor or number.
        x2: tensor or number.

    Example:
        >>> equal([1, 2], 2).tolist()
        [False, True]
    """
    return op.Equal(*promoted(op, x1, x2))


@tensor_function()
def not_equal(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 differs from x2."""
    return op.Not(op.Equal(*promoted(op, x1, x2)))


@tensor_function()
def less(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 < x2."""
    return op.Less(*promoted(op, x1, x2))


@tensor_function()
def less_equal(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 <= x2."""
    return op.LessOrEqual(*promoted(op, x1, x2))


@tensor_function()
def greater(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 > x2."""
    return op.Greater(*promoted(op, x1, x2))


@tensor_function()
def greater_equal(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether x1 >= x2."""
    return op.GreaterOrEqual(*promoted(op, x1, x2))


@tensor_function()
def logical_and(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether both are True; a number is True if it is not 0."""
    return op.And(*(op.cast(tensor(op, x), "bool") for x in (x1, x2)))


@tensor_function()
def logical_or(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether one is True; a number is True if it is not 0."""
    return op.Or(*(op.cast(tensor(op, x), "bool") for x in (x1, x2)))


@tensor_function()
def logical_xor(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return whether just one is True; a number is True if it is not 0."""
    return op.Xor(*(op.cast(tensor(op, x), "bool") for x in (x1, x2)))


@tensor_function()
def logical_not(op: Emitter, x: Any) -> ir.Value:
    """Return whether x is False; a number is False if it is 0."""
    return op.Not(op.cast(tensor(op, x), "bool"))
