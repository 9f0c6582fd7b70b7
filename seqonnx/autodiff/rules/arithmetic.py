"""Gradients of element-wise arithmetic. Operands broadcast; the engine sums back."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter


@gradient("", "Identity")
def identity(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Passes the gradient on."""
    return dy


@gradient("", "Add")
def add(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d(a + b) = da + db."""
    return dy, dy


@gradient("", "Sub")
def sub(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d(a - b) = da - db."""
    return dy, op.Neg(dy) if op.needs(1) else None


@gradient("", "Mul")
def mul(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """d(a b) = b da + a db."""
    a, b = node.inputs
    return op.Mul(dy, b) if op.needs(0) else None, op.Mul(dy, a) if op.needs(1) else None
