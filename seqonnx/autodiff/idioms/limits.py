"""Where a formula has no value: zero in its place, and numbers below all others."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import RuleEmitter


def zero_where(op: RuleEmitter, condition: ir.Value, value: ir.Value) -> ir.Value:
    """`value`, but 0 where `condition` holds, whatever stands there (infinity, NaN)."""
    return op.Where(condition, 0.0, value)


def lowest(value: ir.Value) -> float:
    """A number below all others that still is a number of the type of `value`."""
    return -65504.0 if value.dtype == ir.DataType.FLOAT16 else -3e38
