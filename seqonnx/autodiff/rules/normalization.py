"""Gradients of normalizations of each example, through the mean and the variance too.

With m = mean(x), i = 1 / sqrt(var(x) + epsilon), h = (x - m) i and g = dy scale:
dx = i (g - mean(g) - h mean(g h)); dscale sums dy h, dbias sums dy.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from seqonnx.autodiff.broadcast import sum_over
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.rules.channels import channel_sum, per_channel
from seqonnx.autodiff.rules.reading import float_attribute, given, rank
from seqonnx.autodiff.rules.sizes import spread
from seqonnx.graph import static_shape


@gradient("", "LayerNormalization")
def layer_normalization(
    op: RuleEmitter,
    node: ir.Node,
    dy: ir.Value | None,
    dmean: ir.Value | None = None,
    dinv: ir.Value | None = None,
) -> Gradients:
    """Statistics over the trailing axes; the outputs mean and 1 / deviation count too."""
    x, scale = given(node, 0), given(node, 1)
    axis = node.attributes.get_int("axis", -1) % rank(x)
    axes = list(range(axis, rank(x)))
    mean, inv = _layer_statistics(op, node, axes)
    normal = op.Mul(op.Sub(x, mean), inv)
    dx = dscale = dbias = None
    if dy is not None:
        if op.needs(0):
            g = op.Mul(dy, scale)
            slope = op.Mul(normal, op.ReduceMean(op.Mul(g, normal), axes))
            dx = op.Mul(op.Sub(op.Sub(g, op.ReduceMean(g, axes)), slope), inv)
        dscale = _sum_rows(op, op.Mul(dy, normal), scale, axis) if op.needs(1) else None
        dbias = _sum_rows(op, dy, given(node, 2), axis) if op.needs(2) else None
    if op.needs(0):
        dx = _through_statistics(op, x, (normal, inv), (dx, dmean, dinv), axes)
    return [dx, dscale, dbias][: len(node.inputs)]


def _layer_statistics(op: RuleEmitter, node: ir.Node, axes: list[int]) -> tuple[ir.Value, ir.Value]:
    """Mean and 1 / deviation; the operator gives them away, but in float32 only."""
    x = given(node, 0)
    if x.dtype != ir.DataType.FLOAT:
        mean = op.ReduceMean(x, axes)
        return mean, _inverse_deviation(op, node, op.Sub(x, mean), axes)
    if len(node.outputs) == 3:
        return node.outputs[1], node.outputs[2]
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    _, mean, inv = op.LayerNormalization(*node.inputs, _outputs=3, **attributes)
    return mean, inv


def _inverse_deviation(
    op: RuleEmitter, node: ir.Node, centred: ir.Value, axes: list[int]
) -> ir.Value:
    """1 / sqrt(variance + epsilon)."""
    variance = op.ReduceMean(op.Mul(centred, centred), axes)
    epsilon = float_attribute(node, "epsilon", 1e-5)
    return op.Reciprocal(op.Sqrt(op.Add(variance, epsilon)))


def _through_statistics(
    op: RuleEmitter,
    x: ir.Value,
    forward: tuple[ir.Value, ir.Value],
    grads: tuple[ir.Value | None, ir.Value | None, ir.Value | None],
    axes: list[int],
) -> ir.Value | None:
    """Add what arrives at the outputs mean (1 / n) and 1 / deviation (-h i^2 / n)."""
    (normal, inv), (dx, dmean, dinv) = forward, grads
    share = _share(op, x, axes)
    if dmean is not None:
        part = spread(op, op.Mul(dmean, share), x)
        dx = part if dx is None else op.Add(dx, part)
    if dinv is not None:
        part = op.Mul(normal, op.Neg(op.Mul(op.Mul(dinv, share), op.Mul(inv, inv))))
        dx = part if dx is None else op.Add(dx, part)
    return dx


def _share(op: RuleEmitter, x: ir.Value, axes: list[int]) -> ir.Value | float:
    """1 / number of elements along some axes."""
    sizes = [static_shape(x)[axis] for axis in axes]
    known = [size for size in sizes if isinstance(size, int)]
    if len(known) == len(sizes):
        return 1.0 / math.prod(known)
    count = op.ReduceProd(op.Gather(op.Shape(x), axes), keepdims=0)
    return op.Reciprocal(op.Cast(count, to=x.dtype))


def _sum_rows(op: RuleEmitter, value: ir.Value, like: ir.Value, axis: int) -> ir.Value:
    """Sum over the axes before `axis`, if the parameter has just the axes after it."""
    behind = static_shape(value)[axis:]
    sizes = [size for size in behind if isinstance(size, int)]
    if axis == 0 or static_shape(like) != tuple(sizes):
        return value
    rows = op.Reshape(value, [-1, *sizes])
    return sum_over(op.emitter, rows, [0], keepdims=False)


@gradient("", "InstanceNormalization")
def instance_normalization(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Statistics over space, for each image and channel."""
    x, scale = given(node, 0), given(node, 1)
    axes = list(range(2, rank(x)))
    centred = op.Sub(x, op.ReduceMean(x, axes))
    inv = _inverse_deviation(op, node, centred, axes)
    normal = op.Mul(centred, inv)
    dx = None
    if op.needs(0):
        g = op.Sub(dy, op.ReduceMean(dy, axes))
        slope = op.Mul(normal, op.ReduceMean(op.Mul(dy, normal), axes))
        dx = op.Mul(op.Sub(g, slope), op.Mul(inv, per_channel(op, scale, x)))
    dscale = channel_sum(op, op.Mul(dy, normal)) if op.needs(1) else None
    return dx, dscale, channel_sum(op, dy) if op.needs(2) else None
