"""Gradients of average pooling: every element of a window gets its share."""

from __future__ import annotations

import math
from dataclasses import replace

import onnx_ir as ir

from seqonnx.autodiff.idioms.limits import zero_where
from seqonnx.autodiff.idioms.sizes import shaped, spread
from seqonnx.autodiff.idioms.window import explicit_window, window_of
from seqonnx.autodiff.lowering.masks import sign
from seqonnx.autodiff.lowering.offers import offered
from seqonnx.autodiff.lowering.spread import SPREAD_FORMS, Spread
from seqonnx.autodiff.needed import given, rank
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape


@gradient("", "AveragePool")
def average_pool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Divide by the number of elements of each window, then spread over it."""
    counts = node.attributes.get_int("count_include_pad", 0) == 1
    return shaped(_spread_over_windows(op, node, dy, counts), given(node, 0).shape)


def _spread_over_windows(
    op: RuleEmitter, node: ir.Node, numbers: ir.Value, padding_counts: bool | None
) -> ir.Value:
    """Give all elements of each window its number, divided as `Spread` says."""
    kernel = tuple(node.attributes.get_ints("kernel_shape", ()))
    maps = given(node, 0), node.outputs[0]
    place = Spread(node, numbers, explicit_window(node, kernel, *maps), padding_counts)
    if place.is_known:
        place = replace(place, window=window_of(node, kernel, *maps))
    return op.choose(node, offered(op, SPREAD_FORMS, place)).emit(op, place)


@gradient("", "GlobalAveragePool")
def global_average_pool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Every element gets its share."""
    x = given(node, 0)
    sizes = [size for size in static_shape(x)[2:] if isinstance(size, int)]
    if len(sizes) == rank(x) - 2:
        return spread(op, dy, x, 1.0 / math.prod(sizes))
    count = op.ReduceProd(op.Shape(x, start=2), keepdims=0)
    return spread(op, op.Div(dy, op.Cast(count, to=dy.dtype)), x)


@gradient("", "GlobalLpPool")
def global_lp_pool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The p-norm over space, computed again: ONNX Runtime 1.32 has no kernel for the operator."""
    x, p = given(node, 0), node.attributes.get_int("p", 2)
    axes = list(range(2, rank(x)))
    if p in (1, 2):
        norm = op.emitter.emit(f"ReduceL{p}", [x, axes], {})
    else:
        norm = op.Pow(op.ReduceSum(op.Pow(op.Abs(x), float(p)), axes), 1.0 / p)
    return op.Mul(_power_derivative(op, node), _shared_norm(op, norm, dy, p))


@gradient("", "LpPool")
def lp_pool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The p-norm over each window."""
    norm = _shared_norm(op, node.outputs[0], dy, node.attributes.get_int("p", 2))
    share = _spread_over_windows(op, node, norm, None)
    return shaped(op.Mul(_power_derivative(op, node), share), given(node, 0).shape)


def _shared_norm(op: RuleEmitter, y: ir.Value, dy: ir.Value, p: int) -> ir.Value:
    """dy / y^(p - 1), 0 where the norm is 0."""
    return zero_where(op, op.Equal(y, 0.0), op.Div(dy, op.Pow(y, float(p - 1))))


def _power_derivative(op: RuleEmitter, node: ir.Node) -> ir.Value:
    """sign(x) |x|^(p - 1)."""
    x, p = given(node, 0), node.attributes.get_int("p", 2)
    return x if p == 2 else op.Mul(sign(op, x), op.Pow(op.Abs(x), float(p - 1)))
