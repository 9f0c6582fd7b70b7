"""Gradients of activation functions, from the output where it tells enough.

The output is what ONNX Runtime has at hand after it fused the activation into a convolution.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from seqonnx.autodiff.lowering.masks import STEEP, is_masked, positive
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import float_attribute


@gradient("", "Relu")
def relu(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Passes where the output is positive; 0 at 0."""
    y = node.outputs[0]
    return dy if is_masked(dy, y) else op.Mul(dy, positive(op, y))


@gradient("", "LeakyRelu")
def leaky_relu(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """1 where positive, else alpha (at 0 too); by clipping, three times as fast as Where."""
    alpha = float_attribute(node, "alpha", 0.01)
    if 0.0 < alpha <= 1.0 and dy.dtype == ir.DataType.FLOAT:
        return op.Mul(dy, op.Clip(op.Mul(node.outputs[0], STEEP), alpha, 1.0))
    return op.Where(op.Greater(given(node, 0), 0.0), dy, op.Mul(dy, alpha))


@gradient("", "PRelu")
def prelu(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """1 where positive, else the slope; the slope gets what is below zero."""
    x, slope = given(node, 0), given(node, 1)
    dx = op.Where(op.Greater(x, 0.0), dy, op.Mul(dy, slope)) if op.needs(0) else None
    return dx, op.Mul(dy, op.Min(x, 0.0)) if op.needs(1) else None


@gradient("", "Elu")
def elu(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """1 where positive, else alpha exp(x) = y + alpha."""
    return _exponential_below_zero(op, node, dy, 1.0, float_attribute(node, "alpha", 1.0))


@gradient("", "Celu")
def celu(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """1 where positive, else exp(x / alpha) = y / alpha + 1."""
    alpha = float_attribute(node, "alpha", 1.0)
    return op.Mul(dy, op.Min(op.Add(op.Mul(node.outputs[0], 1.0 / alpha), 1.0), 1.0))


@gradient("", "Selu")
def selu(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Gamma where positive, else gamma alpha exp(x) = y + gamma alpha."""
    gamma = float_attribute(node, "gamma", 1.05070102214813232421875)
    alpha = float_attribute(node, "alpha", 1.67326319217681884765625)
    return _exponential_below_zero(op, node, dy, gamma, gamma * alpha)


def _exponential_below_zero(
    op: RuleEmitter, node: ir.Node, dy: ir.Value, slope: float, floor: float
) -> ir.Value:
    """`slope` where positive, else the output plus `floor`."""
    x, y = given(node, 0), node.outputs[0]
    return op.Mul(dy, op.Where(op.Greater(x, 0.0), slope, op.Add(y, floor)))


@gradient("", "ThresholdedRelu")
def thresholded_relu(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """1 above the threshold, else 0."""
    passes = op.Greater(given(node, 0), float_attribute(node, "alpha", 1.0))
    return op.Mul(dy, op.Cast(passes, to=dy.dtype))


@gradient("", "Shrink")
def shrink(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """1 outside [-lambd, lambd], 0 inside."""
    passes = op.Greater(op.Abs(given(node, 0)), float_attribute(node, "lambd", 0.5))
    return op.Mul(dy, op.Cast(passes, to=dy.dtype))


@gradient("", "HardSigmoid")
def hard_sigmoid(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Alpha strictly between the corners; masked first, so that a steep alpha cannot overflow."""
    y = node.outputs[0]
    inside = op.Cast(op.And(op.Greater(y, 0.0), op.Less(y, 1.0)), to=dy.dtype)
    return op.Mul(op.Mul(dy, inside), float_attribute(node, "alpha", 0.2))


@gradient("", "HardSwish")
def hard_swish(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """x / 3 + 1/2 between -3 and 3, else that of the straight pieces (0 and 1)."""
    x = given(node, 0)
    bend = op.Add(op.Mul(x, 1.0 / 3.0), 0.5)
    derivative = op.Where(op.Less(op.Abs(x), 3.0), bend, positive(op, x))
    return op.Mul(dy, derivative)


@gradient("", "Sigmoid")
def sigmoid(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """s (1 - s)."""
    s = node.outputs[0]
    return op.Mul(op.Mul(dy, s), op.Sub(1.0, s))


@gradient("", "Softplus")
def softplus(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The sigmoid."""
    return op.Mul(dy, op.Sigmoid(given(node, 0)))


@gradient("", "Softsign")
def softsign(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """1 / (1 + |x|)^2."""
    below = op.Add(op.Abs(given(node, 0)), 1.0)
    return op.Div(dy, op.Mul(below, below))


@gradient("", "Gelu")
def gelu(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Phi(x) + x phi(x), or the derivative of the tanh approximation (Hendrycks and Gimpel)."""
    x = given(node, 0)
    if node.attributes.get_string("approximate", "none") == "tanh":
        return op.Mul(dy, _gelu_tanh_derivative(op, x))
    cdf = op.Add(op.Mul(op.Erf(op.Mul(x, math.sqrt(0.5))), 0.5), 0.5)
    pdf = op.Mul(op.Exp(op.Mul(op.Mul(x, x), -0.5)), 1.0 / math.sqrt(2.0 * math.pi))
    return op.Mul(dy, op.Add(cdf, op.Mul(x, pdf)))


def _gelu_tanh_derivative(op: RuleEmitter, x: ir.Value) -> ir.Value:
    """With t = tanh(u), u = c (x + k x^3): (1 + t + x (1 - t^2) u') / 2."""
    c, k = math.sqrt(2.0 / math.pi), 0.044715
    square = op.Mul(x, x)
    t = op.Tanh(op.Mul(x, op.Add(op.Mul(square, c * k), c)))
    inner = op.Mul(x, op.Add(op.Mul(square, 3.0 * c * k), c))
    bend = op.Mul(op.Sub(1.0, op.Mul(t, t)), inner)
    return op.Mul(op.Add(op.Add(t, bend), 1.0), 0.5)


@gradient("", "Mish")
def mish(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """t + x s (1 - t^2) with s = sigmoid(x), t = tanh(softplus(x)) = s (1 + r) / (1 + r^2).

    Here r = sigmoid(-x): cheaper than Softplus, and exact for very negative x.
    """
    x = given(node, 0)
    s, r = op.Sigmoid(x), op.Sigmoid(op.Neg(x))
    t = op.Div(op.Mul(s, op.Add(r, 1.0)), op.Add(op.Mul(r, r), 1.0))
    bend = op.Mul(op.Mul(x, s), op.Sub(1.0, op.Mul(t, t)))
    return op.Mul(dy, op.Add(t, bend))
