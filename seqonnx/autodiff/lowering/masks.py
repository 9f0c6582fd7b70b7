"""Masks of zeros and ones in the formulation that ONNX Runtime computes fastest."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import is_op

STEEP = 3e38
"""Times any normal float32 this is at least 1 in magnitude, so that clipping gives the sign."""


def positive(op: RuleEmitter, x: ir.Value) -> ir.Value:
    """1 where x > 0, else 0, in the type of `x`.

    For float32 a HardSigmoid with a slope of 3e38: half the time of comparing and casting
    (measured). Denormal numbers (below 3.3e-39) count as the fraction that the slope makes of them.
    """
    if x.dtype == ir.DataType.FLOAT:
        return op.HardSigmoid(x, alpha=STEEP, beta=0.0)
    return op.Cast(op.Greater(x, 0.0), to=x.dtype)


def sign(op: RuleEmitter, x: ir.Value) -> ir.Value:
    """-1, 0 or 1; for float32 as two steps, since ONNX Runtime's Sign is scalar code.

    One for x > 0, one for x >= 0: at 0 both are on their flat parts, so that the second order has
    no slope of 3e38 there.
    """
    if x.dtype == ir.DataType.FLOAT:
        above = op.HardSigmoid(x, alpha=STEEP, beta=0.0)
        not_below = op.HardSigmoid(x, alpha=STEEP, beta=1.0)
        return op.Sub(op.Add(above, not_below), 1.0)
    return op.Sign(x)


def equal(op: RuleEmitter, a: ir.Value, b: ir.Value) -> ir.Value:
    """1 where a == b, else 0, in the type of `a`."""
    return op.Cast(op.Equal(a, b), to=a.dtype)


def is_relu(x: ir.Value) -> bool:
    """Whether a value comes out of a Relu."""
    return is_op(x.producer(), "Relu")


def note_masked(grad: ir.Value, output: ir.Value) -> None:
    """Remember that `grad` is 0 wherever `output` of a Relu is."""
    grad.meta[_MASKED] = output


def is_masked(grad: ir.Value, output: ir.Value) -> bool:
    """Whether `grad` is known to be 0 wherever `output` of a Relu is."""
    return grad.meta.get(_MASKED) is output


_MASKED = "seqonnx.masked_by"
