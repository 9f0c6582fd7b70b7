"""Gradients of the elementary functions of one variable."""

from __future__ import annotations

import math

import onnx_ir as ir

from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter


@gradient("", "Exp")
def exp(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """exp' = exp."""
    return op.Mul(dy, node.outputs[0])


@gradient("", "Log")
def log(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """log' = 1 / x."""
    return op.Div(dy, given(node, 0))


@gradient("", "Sin")
def sin(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """sin' = cos."""
    return op.Mul(dy, op.Cos(given(node, 0)))


@gradient("", "Cos")
def cos(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """cos' = -sin."""
    return op.Neg(op.Mul(dy, op.Sin(given(node, 0))))


@gradient("", "Tan")
def tan(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """tan' = 1 + tan^2."""
    y = node.outputs[0]
    return op.Mul(dy, op.Add(op.Mul(y, y), 1.0))


@gradient("", "Sinh")
def sinh(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """sinh' = cosh."""
    return op.Mul(dy, op.Cosh(given(node, 0)))


@gradient("", "Cosh")
def cosh(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """cosh' = sinh."""
    return op.Mul(dy, op.Sinh(given(node, 0)))


@gradient("", "Tanh")
def tanh(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """tanh' = 1 - tanh^2."""
    y = node.outputs[0]
    return op.Mul(dy, op.Sub(1.0, op.Mul(y, y)))


@gradient("", "Asin")
def asin(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """asin' = 1 / sqrt(1 - x^2)."""
    return op.Div(dy, _root_of_one_minus_square(op, given(node, 0)))


@gradient("", "Acos")
def acos(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """acos' = -1 / sqrt(1 - x^2)."""
    return op.Neg(op.Div(dy, _root_of_one_minus_square(op, given(node, 0))))


def _root_of_one_minus_square(op: RuleEmitter, x: ir.Value) -> ir.Value:
    """sqrt((1 - x) (1 + x)): keeps its digits near 1, where 1 - x^2 loses them."""
    return op.Sqrt(op.Mul(op.Sub(1.0, x), op.Add(x, 1.0)))


@gradient("", "Atan")
def atan(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """atan' = 1 / (1 + x^2)."""
    x = given(node, 0)
    return op.Div(dy, op.Add(op.Mul(x, x), 1.0))


@gradient("", "Asinh")
def asinh(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """asinh' = 1 / sqrt(x^2 + 1)."""
    x = given(node, 0)
    return op.Div(dy, op.Sqrt(op.Add(op.Mul(x, x), 1.0)))


@gradient("", "Acosh")
def acosh(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """acosh' = 1 / sqrt(x^2 - 1)."""
    x = given(node, 0)
    return op.Div(dy, op.Sqrt(op.Mul(op.Sub(x, 1.0), op.Add(x, 1.0))))


@gradient("", "Atanh")
def atanh(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """atanh' = 1 / (1 - x^2)."""
    x = given(node, 0)
    return op.Div(dy, op.Mul(op.Sub(1.0, x), op.Add(x, 1.0)))


@gradient("", "Erf")
def erf(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """erf' = 2 / sqrt(pi) exp(-x^2)."""
    x = given(node, 0)
    return op.Mul(dy, op.Mul(op.Exp(op.Neg(op.Mul(x, x))), 2.0 / math.sqrt(math.pi)))
