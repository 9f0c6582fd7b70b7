"""Sizes of axes: Python numbers where they are known, else scalars read in the graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.rules.sizes import positions, scalar, size_at
from seqonnx.graph import static_shape

Length = int | ir.Value
"""A size: known, or a scalar of int64."""

Number = float | ir.Value


def length_at(op: RuleEmitter, value: ir.Value, axis: int) -> Length:
    """Return the size of an axis."""
    size = static_shape(value)[axis]
    return size if isinstance(size, int) else scalar(op, size_at(op, value, axis))


def number(op: RuleEmitter, length: Length, like: ir.Value) -> Number:
    """Return a size as a number that computes with `like`."""
    return float(length) if isinstance(length, int) else op.Cast(length, to=like.dtype)


def minus(op: RuleEmitter, a: Number, b: Number) -> Number:
    """Return a - b, at once where both are known."""
    if isinstance(a, float) and isinstance(b, float):
        return a - b
    return op.Sub(a, b)


def times(op: RuleEmitter, a: Length, b: Length) -> Length:
    """Return a b, at once where both are known."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    return op.Mul(a, b)


def sizes_vector(op: RuleEmitter, lengths: Sequence[Length]) -> list[int] | ir.Value:
    """Return sizes as what Reshape and Expand take."""
    known = [length for length in lengths if isinstance(length, int)]
    if len(known) == len(lengths):
        return known
    parts = [[n] if isinstance(n, int) else op.Unsqueeze(n, [0]) for n in lengths]
    return op.Concat(*parts, axis=0)


def numbered(op: RuleEmitter, length: Length) -> ir.Value:
    """Return 0, 1, ... below a size."""
    if isinstance(length, int):
        return op.constant(np.arange(length))
    return positions(op, op.Unsqueeze(length, [0]))
