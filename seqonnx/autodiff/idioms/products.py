"""The derivative of a product: the product of the other factors, also where some are 0."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from seqonnx.autodiff.idioms.limits import zero_where
from seqonnx.autodiff.rule_emitter import RuleEmitter


def product_of_others(
    op: RuleEmitter,
    x: ir.Value,
    multiply: Callable[[ir.Value], ir.Value],
    add: Callable[[ir.Value], ir.Value],
) -> ir.Value:
    """Return for each factor the product of the others, exact with zeros among them.

    Where one other factor is 0, the product is spelled out with it rather than replaced by 0: its
    value is 0, but it has a derivative, which the second order needs.

    Args:
        op: the rule's emitter.
        x: the factors.
        multiply: for values like `x`, the product that each of them belongs to, shape of `x` or
            one that broadcasts to it.
        add: the same for sums.
    """
    is_zero = op.Equal(x, 0.0)
    one = op.Cast(is_zero, to=x.dtype)
    safe = op.Add(x, one)
    quotient = op.Div(multiply(safe), safe)
    zero = op.Where(is_zero, x, 0.0)
    other_zero, zeros = op.Sub(add(zero), zero), op.Sub(add(one), one)
    single = op.Where(op.Greater(zeros, 0.5), op.Mul(quotient, other_zero), quotient)
    return zero_where(op, op.Greater(zeros, 1.5), single)
