"""Functions of whole numbers: divisors and multiples."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.control_flow import looped
from seqonnx.ops.promotion import number, promoted
from seqonnx.tensor_function import tensor_function


@tensor_function()
def gcd(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the largest number that divides both, by Euclid's rule in a Loop.

    Args:
        x1: integers.
        x2: integers.

    Example:
        >>> gcd([12], [18]).tolist()
        [6]
    """
    a, b = promoted(op, x1, x2)
    zero = number(op, 0, a)
    a, b = op.Abs(op.Add(a, op.Mul(b, zero))), op.Abs(op.Add(b, op.Mul(a, zero)))

    def goes_on(inside: Emitter, values: list[ir.Value]) -> ir.Value:
        left = inside.cast(inside.cast(values[1], "bool"), "int32")
        return inside.cast(inside.ReduceMax(left, keepdims=0), "bool")

    def step(inside: Emitter, _: ir.Value, values: list[ir.Value]) -> list[ir.Value]:
        larger, smaller = values
        done = inside.Equal(smaller, number(inside, 0, smaller))
        divisor = inside.Where(done, number(inside, 1, smaller), smaller)
        rest = inside.Where(done, smaller, inside.Mod(larger, divisor))
        return [inside.Where(done, larger, smaller), rest]

    return looped(op, None, goes_on, step, [a, b])[0]


@tensor_function()
def lcm(op: Emitter, x1: Any, x2: Any) -> ir.Value:
    """Return the smallest positive number that both divide; 0 where one is 0."""
    a, b = promoted(op, x1, x2)
    divisor = gcd(op, a, b)
    safe = op.Max(divisor, op.constant(np.array(1, dtype_name(a))))
    return op.Abs(op.Mul(op.Div(a, safe), b))
