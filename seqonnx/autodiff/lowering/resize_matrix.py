"""The matrix of one resized axis where only a run knows its sizes: computed in the graph.

`resize` makes the same as a constant where the sizes are known. Computed in float64: the place of
an element among thousands needs more than float32 has.
"""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.idioms.sizes import positions, scalar, size_at
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import constant_of, float_attribute, input_at

_DOUBLE = ir.DataType.DOUBLE


def resize_matrix(
    op: RuleEmitter, node: ir.Node, index: int, axes: list[int], mode: str
) -> ir.Value:
    """Compute the weights with which old elements enter the new ones.

    Args:
        op: the rule's emitter.
        node: the Resize.
        index: which of `axes`.
        axes: the axes that `scales`, `sizes` and `roi` speak of.
        mode: the coordinate transformation mode.

    Returns:
        A matrix (new, old) in the type of the input.
    """
    x = given(node, 0)
    sizes = [size_at(op, value, axes[index]) for value in (x, node.outputs[0])]
    size, new = (scalar(op, op.Cast(value, to=_DOUBLE)) for value in sizes)
    last = op.Sub(size, 1.0)
    scale = _scale(op, node, index, axes, (size, new))
    place = op.Cast(positions(op, sizes[1]), to=_DOUBLE)
    region = _region(op, node, index, len(axes)) if mode == "tf_crop_and_resize" else None
    at = _coordinates(op, mode, place, (size, new, last, scale), region)
    weights, beyond = _weights(op, node, at, size, scale)
    inside = op.And(op.GreaterOrEqual(beyond, 0.0), op.LessOrEqual(beyond, last))
    if node.attributes.get_int("exclude_outside", 0) == 1:
        weights = op.Mul(weights, op.Cast(inside, to=_DOUBLE))
        weights = op.Div(weights, op.ReduceSum(weights, [1]))
    held = op.Min(op.Max(beyond, 0.0), last)
    old = op.Cast(positions(op, sizes[0]), to=_DOUBLE)
    fold = op.Cast(op.Equal(op.Unsqueeze(held, [1]), old), to=_DOUBLE)
    matrix = op.MatMul(weights, fold)
    if region is not None:
        outside = op.Or(op.Less(at, 0.0), op.Greater(at, last))
        matrix = op.Where(op.Unsqueeze(outside, [1]), 0.0, matrix)
    return op.Cast(matrix, to=x.dtype)


def _scale(
    op: RuleEmitter, node: ir.Node, index: int, axes: list[int], sizes: tuple[ir.Value, ir.Value]
) -> ir.Value:
    """The ratio of new to old, as the node says it."""
    wanted, scales = input_at(node, 3), input_at(node, 2)
    known = constant_of(scales)
    if wanted is None and scales is not None and (known is None or known.size > 0):
        return op.Cast(op.Gather(scales, index), to=_DOUBLE)
    policy = node.attributes.get_string("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch" or wanted is None:
        return op.Div(sizes[1], sizes[0])
    old = op.Cast(op.Gather(op.Shape(given(node, 0)), axes), to=_DOUBLE)
    ratios = op.Div(op.Cast(wanted, to=_DOUBLE), old)
    reduce = op.ReduceMin if policy == "not_larger" else op.ReduceMax
    return reduce(ratios, keepdims=0)


def _region(op: RuleEmitter, node: ir.Node, index: int, count: int) -> tuple[ir.Value, ir.Value]:
    """Start and end of the region of interest."""
    roi = op.Cast(given(node, 1), to=_DOUBLE)
    return op.Gather(roi, index), op.Gather(roi, count + index)


def _coordinates(
    op: RuleEmitter,
    mode: str,
    place: ir.Value,
    sizes: tuple[ir.Value, ir.Value, ir.Value, ir.Value],
    region: tuple[ir.Value, ir.Value] | None,
) -> ir.Value:
    """Where each new element lies among the old ones (the standard's formulas)."""
    size, new, last, scale = sizes
    length = op.Mul(scale, size)
    one, rest = op.Equal(length, 1.0), op.Sub(length, 1.0)
    if mode == "align_corners":
        return op.Where(one, op.Mul(place, 0.0), op.Div(op.Mul(place, last), rest))
    if mode == "asymmetric":
        return op.Div(place, scale)
    if region is not None:
        width = op.Mul(op.Sub(region[1], region[0]), last)
        along = op.Where(one, op.Div(width, 2.0), op.Div(op.Mul(place, width), rest))
        return op.Add(op.Mul(region[0], last), along)
    half = op.Sub(op.Div(op.Add(place, 0.5), scale), 0.5)
    if mode == "pytorch_half_pixel":
        return op.Where(one, op.Sub(op.Mul(place, 0.0), 0.5), half)
    if mode == "half_pixel_symmetric":
        shift = op.Mul(op.Div(size, 2.0), op.Sub(1.0, op.Div(new, length)))
        return op.Add(half, shift)
    return half


def _weights(
    op: RuleEmitter, node: ir.Node, at: ir.Value, size: ir.Value, scale: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """Weights (new, places) of the old elements and of places beyond both ends; the places."""
    mode = node.attributes.get_string("mode", "nearest")
    shrink = op.Min(scale, 1.0) if node.attributes.get_int("antialias", 0) == 1 else None
    reach = 2.0 if mode == "cubic" else 1.0
    beyond = reach + 2.0 if shrink is None else op.Add(op.Ceil(op.Div(reach, shrink)), 2.0)
    twice = 2.0 * beyond if isinstance(beyond, float) else op.Mul(beyond, 2.0)
    count = op.Cast(op.Add(size, twice), to=ir.DataType.INT64)
    places = op.Sub(op.Cast(positions(op, op.Reshape(count, [1])), to=_DOUBLE), beyond)
    if mode == "nearest":
        how = node.attributes.get_string("nearest_mode", "round_prefer_floor")
        nearest = op.Unsqueeze(_rounded(op, at, how or ""), [1])
        return op.Cast(op.Equal(places, nearest), to=_DOUBLE), places
    away = op.Abs(op.Sub(places, op.Unsqueeze(at, [1])))
    away = away if shrink is None else op.Mul(away, shrink)
    if mode == "linear":
        weights = op.Max(op.Sub(1.0, away), 0.0)
    else:
        weights = _cubic(op, away, float_attribute(node, "cubic_coeff_a", -0.75))
    return op.Div(weights, op.ReduceSum(weights, [1])), places


def _rounded(op: RuleEmitter, at: ir.Value, how: str) -> ir.Value:
    """Round by the standard's names."""
    if how == "round_prefer_floor":
        return op.Ceil(op.Sub(at, 0.5))
    if how == "round_prefer_ceil":
        return op.Floor(op.Add(at, 0.5))
    return op.Floor(at) if how == "floor" else op.Ceil(at)


def _cubic(op: RuleEmitter, away: ir.Value, a: float) -> ir.Value:
    """Cubic convolution (Keys, 1981) at distances up to 2."""
    square = op.Mul(away, away)
    near = op.Add(op.Mul(op.Sub(op.Mul(away, a + 2), a + 3), square), 1.0)
    far = op.Sub(op.Mul(op.Add(op.Mul(op.Sub(op.Mul(away, a), 5 * a), away), 8 * a), away), 4 * a)
    outer = op.Where(op.Less(away, 2.0), far, 0.0)
    return op.Where(op.LessOrEqual(away, 1.0), near, outer)
