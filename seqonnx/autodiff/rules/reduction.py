"""Gradients of reductions: the reduced gradient is spread over the axes that were summed."""

from __future__ import annotations

import math

import onnx_ir as ir

from seqonnx.autodiff.idioms.limits import zero_where
from seqonnx.autodiff.idioms.products import product_of_others
from seqonnx.autodiff.idioms.sizes import shaped, spread
from seqonnx.autodiff.lowering.masks import equal, sign
from seqonnx.autodiff.lowering.through_float32 import compares_badly, through_float32
from seqonnx.autodiff.needed import given, rank
from seqonnx.autodiff.registry import Gradients, declare, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import constant_ints, input_at


def _axes(node: ir.Node) -> list[int] | None:
    """The reduced axes, counted from the front; None if only a run of the graph knows them."""
    x, given_axes = given(node, 0), input_at(node, 1)
    axes = [] if given_axes is None else constant_ints(given_axes)
    if axes == [] and _noop(node) == 1:
        return []
    if axes is None or x.shape is None:
        return None
    count = rank(x)
    return sorted(axis % count for axis in axes) if axes else list(range(count))


def _keep(op: RuleEmitter, node: ir.Node, reduced: ir.Value) -> ir.Value:
    """Put the reduced axes back, with size 1."""
    axes, given_axes = _axes(node), input_at(node, 1)
    if node.attributes.get_int("keepdims", 1) == 1 or axes == []:
        return _ranked(node, reduced)
    if axes is None and (given_axes is None or constant_ints(given_axes) == []):
        return reduced  # a scalar, which broadcasts to any number of axes
    return _ranked(node, op.Unsqueeze(reduced, given_axes if axes is None else axes))


def _ranked(node: ir.Node, kept: ir.Value) -> ir.Value:
    """Note the rank of a reduced value with all axes; inference loses it for run-time axes."""
    x = given(node, 0)
    if kept.shape is not None or x.shape is None:
        return kept
    return shaped(kept, [None] * rank(x))


def _again(op: RuleEmitter, node: ir.Node, op_type: str, value: ir.Value) -> ir.Value:
    """Reduce `value` along the axes of the node by another operator, all axes kept."""
    attributes = {"keepdims": 1, "noop_with_empty_axes": _noop(node)}
    return _ranked(node, op.emitter.emit(op_type, [value, input_at(node, 1)], attributes))


@gradient("", "ReduceSum")
def reduce_sum(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Every summand gets the gradient."""
    return spread(op, _keep(op, node, dy), given(node, 0))


@gradient("", "ReduceMean")
def reduce_mean(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Every element gets its share."""
    x, axes = given(node, 0), _axes(node)
    kept = _keep(op, node, dy)
    sizes = [None] if axes is None else [static_shape(x)[axis] for axis in axes]
    known = [size for size in sizes if isinstance(size, int)]
    if len(known) == len(sizes):
        return spread(op, kept, x, 1.0 / math.prod(known))
    wide = ir.DataType.DOUBLE if x.dtype == ir.DataType.DOUBLE else ir.DataType.FLOAT
    parts, count = (op.Cast(op.Size(value), to=wide) for value in (node.outputs[0], x))
    return spread(op, op.Mul(kept, op.Cast(op.Div(parts, count), to=x.dtype)), x)


@gradient("", "ReduceMax", "ReduceMin")
def reduce_extremum(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The extreme element gets the gradient; elements that tie share it evenly."""
    x = given(node, 0)
    if compares_badly(op, node):
        return through_float32(op, node, dy)
    hits = equal(op, x, _keep(op, node, node.outputs[0]))
    count = _again(op, node, "ReduceSum", hits)
    return shaped(op.Mul(hits, op.Div(_keep(op, node, dy), count)), x.shape)


def _noop(node: ir.Node) -> int:
    return node.attributes.get_int("noop_with_empty_axes", 0)


@gradient("", "ReduceSumSquare")
def reduce_sum_square(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """2 x."""
    x, kept = given(node, 0), _keep(op, node, dy)
    return shaped(op.Mul(x, op.Add(kept, kept)), x.shape)


@gradient("", "ReduceL1")
def reduce_l1(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The sign of x, 0 at 0."""
    x = given(node, 0)
    return shaped(op.Mul(sign(op, x), _keep(op, node, dy)), x.shape)


@gradient("", "ReduceL2")
def reduce_l2(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """x / |x|; 0 where the norm is 0."""
    x = given(node, 0)
    dy, y = (_keep(op, node, value) for value in (dy, node.outputs[0]))
    share = zero_where(op, op.Equal(y, 0.0), op.Div(dy, y))
    return shaped(op.Mul(x, share), x.shape)


@gradient("", "ReduceLogSum")
def reduce_log_sum(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """1 / sum = exp(-y)."""
    dy, y = (_keep(op, node, value) for value in (dy, node.outputs[0]))
    return spread(op, op.Mul(dy, op.Exp(op.Neg(y))), given(node, 0))


@gradient("", "ReduceLogSumExp")
def reduce_log_sum_exp(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """exp(x - y), the softmax; 0 where every x is minus infinity."""
    x, y = given(node, 0), _keep(op, node, node.outputs[0])
    finite = zero_where(op, op.IsInf(y), y)
    weights = op.Exp(op.Sub(x, finite))
    # Their sum is 1 but for the rounding of y, which far from 0 is larger than that of the weights.
    total = op.Max(_again(op, node, "ReduceSum", weights), 0.5)
    return shaped(op.Mul(weights, op.Div(_keep(op, node, dy), total)), x.shape)


@gradient("", "ReduceProd")
def reduce_prod(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The product of the others."""
    x = given(node, 0)
    others = product_of_others(
        op,
        x,
        lambda value: _again(op, node, "ReduceProd", value),
        lambda value: _again(op, node, "ReduceSum", value),
    )
    return shaped(op.Mul(others, _keep(op, node, dy)), x.shape)


@gradient("", "CumSum")
def cumsum(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The cumulative sum from the other end."""
    exclusive = node.attributes.get_int("exclusive", 0)
    reverse = node.attributes.get_int("reverse", 0)
    return op.CumSum(dy, given(node, 1), exclusive=exclusive, reverse=1 - reverse), None


declare("", "ArgMax", "ArgMin", reason="returns positions")
