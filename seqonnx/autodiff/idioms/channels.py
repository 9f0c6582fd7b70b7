"""Vectors of one number for each channel, and how to sum to them."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.broadcast import sum_over
from seqonnx.autodiff.needed import rank
from seqonnx.autodiff.rule_emitter import RuleEmitter


def per_channel(op: RuleEmitter, vector: ir.Value, like: ir.Value) -> ir.Value:
    """Shape a vector so that it broadcasts against (batch, channels, spatial axes)."""
    axes = list(range(1, rank(like) - 1))
    return op.Unsqueeze(vector, axes) if axes else vector


def channel_sum(op: RuleEmitter, value: ir.Value) -> ir.Value:
    """Sum over space, then over the batch: faster than both at once (measured)."""
    if rank(value) > 2:
        value = op.ReduceSum(value, list(range(2, rank(value))), keepdims=0)
    return sum_over(op.emitter, value, [0], keepdims=False)


def channel_mean(op: RuleEmitter, value: ir.Value) -> ir.Value:
    """Mean over space, then over the batch."""
    if rank(value) > 2:
        value = op.ReduceMean(value, list(range(2, rank(value))), keepdims=0)
    return op.ReduceMean(value, [0], keepdims=0)
