"""Gradients of normalizations of each example, through the mean and the variance too.

With m = mean(x), i = 1 / sqrt(var(x) + epsilon), h = (x - m) i and g = dy scale:
dx = i (g - mean(g) - h mean(g h)); dscale sums dy h, dbias sums dy.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.broadcast import sum_over
from seqonnx.autodiff.idioms.channels import channel_sum, per_channel
from seqonnx.autodiff.idioms.limits import zero_where
from seqonnx.autodiff.idioms.sizes import positions, reshape_like, shaped, size_at, spread
from seqonnx.autodiff.lowering.masks import sign
from seqonnx.autodiff.needed import given, rank
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import float_attribute, numpy_dtype


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
            along = op.Mul(normal, op.ReduceMean(op.Mul(g, normal), axes))
            dx = op.Mul(op.Sub(op.Sub(g, op.ReduceMean(g, axes)), along), inv)
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
    (normal, inv), dx = forward, grads[0]
    share = _share(op, x, axes)
    # The standard gives the statistics of half precision in float32.
    dmean, dinv = (_typed(op, grad, x) for grad in grads[1:])
    if dmean is not None:
        part = spread(op, op.Mul(dmean, share), x)
        dx = part if dx is None else op.Add(dx, part)
    if dinv is not None:
        part = op.Mul(normal, op.Neg(op.Mul(op.Mul(dinv, share), op.Mul(inv, inv))))
        dx = part if dx is None else op.Add(dx, part)
    return dx


def _typed(op: RuleEmitter, grad: ir.Value | None, x: ir.Value) -> ir.Value | None:
    return grad if grad is None or grad.dtype == x.dtype else op.Cast(grad, to=x.dtype)


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


@gradient("", "RMSNormalization")
def rms_normalization(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Like layer normalization, but nothing is subtracted from x."""
    x, scale = given(node, 0), given(node, 1)
    axis = node.attributes.get_int("axis", -1) % rank(x)
    axes = list(range(axis, rank(x)))
    inv = _inverse_deviation(op, node, x, axes)
    normal = op.Mul(x, inv)
    dx = None
    if op.needs(0):
        g = op.Mul(dy, scale)
        along = op.Mul(normal, op.ReduceMean(op.Mul(g, normal), axes))
        dx = op.Mul(op.Sub(g, along), inv)
    return dx, _sum_rows(op, op.Mul(dy, normal), scale, axis) if op.needs(1) else None


@gradient("", "MeanVarianceNormalization")
def mean_variance_normalization(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Without parameters; the deviation has 1e-9 added to it."""
    x = given(node, 0)
    y = shaped(node.outputs[0], x.shape)
    axes = list(node.attributes.get_ints("axes", (0, 2, 3)))
    centred = op.Sub(x, op.ReduceMean(x, axes))
    deviation = op.Sqrt(op.ReduceMean(op.Mul(centred, centred), axes))
    divisor = op.Add(deviation, 1e-9)
    along = op.Mul(y, op.ReduceMean(op.Mul(dy, y), axes))
    if x.dtype != ir.DataType.FLOAT16:
        # What is added has no derivative; in float16 it is 0. Of two numbers nothing else is left.
        along = op.Mul(along, op.Div(divisor, op.Max(deviation, 1e-20)))
    g = op.Sub(op.Sub(dy, op.ReduceMean(dy, axes)), along)
    return shaped(op.Div(g, divisor), x.shape)


@gradient("", "GroupNormalization")
def group_normalization(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Statistics over space and the channels of a group."""
    x = given(node, 0)
    groups = node.attributes.get_int("num_groups", 1)
    folded = op.Reshape(x, [0, groups, -1])
    centred = op.Sub(folded, op.ReduceMean(folded, [2]))
    inv = _inverse_deviation(op, node, centred, [2])
    normal = op.Mul(centred, inv)
    dx = None
    if op.needs(0):
        g = op.Mul(dy, per_channel(op, given(node, 1), x))
        g = op.Reshape(g, [0, groups, -1])
        along = op.Mul(normal, op.ReduceMean(op.Mul(g, normal), [2]))
        g = op.Sub(op.Sub(g, op.ReduceMean(g, [2])), along)
        dx = reshape_like(op, op.Mul(g, inv), x)
    if op.needs(1):
        dscale = channel_sum(op, op.Mul(dy, reshape_like(op, normal, x)))
        return dx, dscale, channel_sum(op, dy) if op.needs(2) else None
    return dx, None, channel_sum(op, dy) if op.needs(2) else None


@gradient("", "LpNormalization")
def lp_normalization(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """y = x / n: (dy - n' sum(dy y)) / n with n' = y or, for p = 1, sign(x); 0 where n is 0."""
    x, y = given(node, 0), node.outputs[0]
    axes = [node.attributes.get_int("axis", -1)]
    one = node.attributes.get_int("p", 2) == 1
    norm = op.ReduceL1(x, axes) if one else op.ReduceL2(x, axes)
    along = op.Mul(sign(op, x) if one else y, op.ReduceSum(op.Mul(dy, y), axes))
    return zero_where(op, op.Equal(norm, 0.0), op.Div(op.Sub(dy, along), norm))


@gradient("", "LRN")
def local_response(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """y = x s^-beta with s = bias + alpha / size * (sum of squares over nearby channels)."""
    x, y = given(node, 0), node.outputs[0]
    size = node.attributes.get_int("size", 1)
    alpha = float_attribute(node, "alpha", 1e-4) / size
    beta = float_attribute(node, "beta", 0.75)
    near, across = _near(op, x, size)
    squares = op.MatMul(near, op.Reshape(op.Mul(x, x), [0, 0, -1]))
    s = op.Add(op.Mul(squares, alpha), float_attribute(node, "bias", 1.0))
    s = reshape_like(op, s, x)
    pulled = op.Reshape(op.Div(op.Mul(dy, y), s), [0, 0, -1])
    pulled = reshape_like(op, op.MatMul(across, pulled), x)
    direct = op.Mul(dy, op.Pow(s, -beta))
    return op.Sub(direct, op.Mul(op.Mul(x, pulled), 2.0 * alpha * beta))


_Matrix = ir.Value | npt.NDArray[np.generic]


def _near(op: RuleEmitter, x: ir.Value, size: int) -> tuple[_Matrix, _Matrix]:
    """Which channels count for which, as 0 and 1, and the transpose."""
    channels = static_shape(x)[1]
    if isinstance(channels, int):
        distance = np.subtract.outer(np.arange(channels), np.arange(channels))
        near = ((distance <= (size - 1) // 2) & (-distance <= size // 2)).astype(numpy_dtype(x))
        return near, np.asarray(near.T, order="C")
    numbers = positions(op, size_at(op, x, 1))
    away = op.Sub(op.Unsqueeze(numbers, [1]), numbers)
    inside = op.And(op.LessOrEqual(away, (size - 1) // 2), op.GreaterOrEqual(away, -(size // 2)))
    found = op.Cast(inside, to=x.dtype)
    return found, op.Transpose(found, perm=[1, 0])


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
        along = op.Mul(normal, op.ReduceMean(op.Mul(dy, normal), axes))
        dx = op.Mul(op.Sub(g, along), op.Mul(inv, per_channel(op, scale, x)))
    dscale = channel_sum(op, op.Mul(dy, normal)) if op.needs(1) else None
    return dx, dscale, channel_sum(op, dy) if op.needs(2) else None
