"""Gradients of softmax functions."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.registry import Gradients, declare, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter


@gradient("", "Softmax")
def softmax(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """y (dy - sum(dy y)) along the axis."""
    y = node.outputs[0]
    mean = op.ReduceSum(op.Mul(dy, y), [node.attributes.get_int("axis", -1)], keepdims=1)
    return op.Mul(y, op.Sub(dy, mean))


@gradient("", "LogSoftmax")
def log_softmax(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """dy - exp(y) sum(dy) along the axis."""
    total = op.ReduceSum(dy, [node.attributes.get_int("axis", -1)], keepdims=1)
    return op.Sub(dy, op.Mul(op.Exp(node.outputs[0]), total))


declare("", "Hardmax", reason="constant between jumps")
