"""Gradient of batch normalization.

While it trains, with M elements for each channel, m their mean, v their variance and
i = 1 / sqrt(v + epsilon): dbias = sum(dy), dscale = i (sum(dy x) - m dbias), and
dx = a dy + b x + c with a = scale i, p = -a / M, b = p i dscale, c = p dbias - b m. All but the
three products with dy and x works on vectors of one number for each channel.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from seqonnx.autodiff.idioms.channels import channel_mean, channel_sum, per_channel
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import float_attribute, known_sizes


@gradient("", "BatchNormalization")
def batch_normalization(
    op: RuleEmitter,
    node: ir.Node,
    dy: ir.Value | None,
    dmean: ir.Value | None = None,
    dvar: ir.Value | None = None,
) -> Gradients:
    """Statistics over batch and space while it trains; given ones otherwise."""
    if node.attributes.get_int("training_mode", 0) == 0:
        return None if dy is None else _frozen(op, node, dy)
    keep = float_attribute(node, "momentum", 0.9)
    grads = _trained(op, node, dy)
    if op.needs(0) and (dmean is not None or dvar is not None):
        through = _through_statistics(op, node, dmean, dvar, 1.0 - keep)
        grads[0] = through if grads[0] is None else op.Add(grads[0], through)
    olds = [None if grad is None else op.Mul(grad, keep) for grad in (dmean, dvar)]
    return [*grads, *olds]


def _inverse_deviation(op: RuleEmitter, node: ir.Node, variance: ir.Value) -> ir.Value:
    epsilon = float_attribute(node, "epsilon", 1e-5)
    return op.Reciprocal(op.Sqrt(op.Add(variance, epsilon)))


def _statistics(op: RuleEmitter, node: ir.Node) -> tuple[ir.Value, ir.Value]:
    """Mean and variance of the batch: with momentum 0 the node gives them away."""
    x = given(node, 0)
    if len(node.outputs) == 3 and float_attribute(node, "momentum", 0.9) == 0.0:
        return node.outputs[1], node.outputs[2]
    mean = channel_mean(op, x)
    centred = op.Sub(x, per_channel(op, mean, x))
    return mean, channel_mean(op, op.Mul(centred, centred))


def _share(op: RuleEmitter, x: ir.Value, mean: ir.Value) -> ir.Value | float:
    """1 / number of elements of a channel."""
    sizes = known_sizes(x)
    if sizes is not None and 0 not in sizes:
        return sizes[1] / math.prod(sizes)
    return op.Reciprocal(op.Cast(op.Div(op.Size(x), op.Size(mean)), to=x.dtype))


def _negative(op: RuleEmitter, number: ir.Value | float) -> ir.Value | float:
    return -number if isinstance(number, float) else op.Neg(number)


def _trained(op: RuleEmitter, node: ir.Node, dy: ir.Value | None) -> list[ir.Value | None]:
    """Gradients of input, scale and bias from that of the normalized output."""
    if dy is None:
        return [None, None, None]
    x, dbias = given(node, 0), channel_sum(op, dy)
    if not op.needs(0) and not op.needs(1):
        return [None, None, dbias]
    mean, variance = _statistics(op, node)
    inv = _inverse_deviation(op, node, variance)
    dscale = op.Mul(inv, op.Sub(channel_sum(op, op.Mul(dy, x)), op.Mul(mean, dbias)))
    if not op.needs(0):
        return [None, dscale, dbias]
    a = op.Mul(given(node, 1), inv)
    part = op.Mul(a, _negative(op, _share(op, x, mean)))
    b = op.Mul(op.Mul(part, inv), dscale)
    c = op.Sub(op.Mul(part, dbias), op.Mul(b, mean))
    a, b, c = (per_channel(op, vector, x) for vector in (a, b, c))
    dx = op.Add(op.Add(op.Mul(dy, a), op.Mul(x, b)), c)
    return [dx, dscale, dbias]


def _through_statistics(
    op: RuleEmitter, node: ir.Node, dmean: ir.Value | None, dvar: ir.Value | None, weight: float
) -> ir.Value:
    """The gradient through the statistics: dmean / M + 2 (x - m) dvar / M, times their weight."""
    x = given(node, 0)
    mean, _ = _statistics(op, node)
    share = _share(op, x, mean)
    share = share * weight if isinstance(share, float) else op.Mul(share, weight)
    centred = op.Sub(x, per_channel(op, mean, x))
    factor = op.Mul(mean, 0.0) if dvar is None else op.Mul(op.Mul(dvar, share), 2.0)
    made = op.Mul(centred, per_channel(op, factor, x))
    if dmean is None:
        return made
    return op.Add(made, per_channel(op, op.Mul(dmean, share), x))


def _frozen(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """An affine map of each channel."""
    x, scale, mean = given(node, 0), given(node, 1), given(node, 3)
    inv = _inverse_deviation(op, node, given(node, 4))
    a = op.Mul(scale, inv)
    dx = op.Mul(dy, per_channel(op, a, x)) if op.needs(0) else None
    if not any(op.needs(i) for i in (1, 2, 3, 4)):
        return [dx]
    dbias = channel_sum(op, dy)
    dmean = op.Neg(op.Mul(a, dbias)) if op.needs(3) else None
    if not op.needs(1) and not op.needs(4):
        return dx, None, dbias, dmean
    along = channel_sum(op, op.Mul(dy, op.Sub(x, per_channel(op, mean, x))))
    dscale = op.Mul(along, inv)
    dvar = op.Mul(op.Mul(dscale, a), op.Mul(inv, -0.5)) if op.needs(4) else None
    return dx, dscale, dbias, dmean, dvar
