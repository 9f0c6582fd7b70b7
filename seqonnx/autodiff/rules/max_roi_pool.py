"""Gradient of MaxRoiPool, through its definition: bins of whole pixels in each region.

Girshick, "Fast R-CNN" (2015), with the rounding of its implementation, which ONNX Runtime shares:
corners to the nearest pixel, the last one included; bins from rounded down to rounded up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.definition import by_definition
from seqonnx.autodiff.idioms.lengths import length_at, numbered
from seqonnx.autodiff.idioms.limits import lowest, zero_where
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import float_attribute


@gradient("", "MaxRoiPool")
def max_roi_pool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The largest pixel of each bin; pixels that tie share evenly. Regions have no gradient."""
    return by_definition(op, node, [dy], lambda inputs: [max_roi_pool_output(op, node, inputs)])


def max_roi_pool_output(
    op: RuleEmitter, node: ir.Node, inputs: Sequence[ir.Value | None]
) -> ir.Value:
    """The operator's output: first the maxima along rows, then along columns."""
    x, rois = inputs[0], given(node, 1)
    picture = op.Cast(op.Gather(rois, np.array(0), axis=1), to=ir.DataType.INT64)
    pixels = op.Gather(x, picture, axis=0)
    low = lowest(rois)
    tall, wide = (_bins(op, node, axis) for axis in (0, 1))
    across = op.Where(op.Unsqueeze(wide, [1, 2]), op.Unsqueeze(pixels, [3]), low)
    rows = op.ReduceMax(across, [4], keepdims=0)
    down = op.Where(op.Unsqueeze(tall, [1, 4]), op.Unsqueeze(rows, [2]), low)
    most = op.ReduceMax(down, [3], keepdims=0)
    return zero_where(op, op.Equal(most, low), most)


def _bins(op: RuleEmitter, node: ir.Node, axis: int) -> ir.Value:
    """Which pixels along an axis each bin of each region holds, (regions, bins, pixels)."""
    rois, scale = given(node, 1), float_attribute(node, "spatial_scale", 1.0)
    count = list(node.attributes.get_ints("pooled_shape", ()))[axis]
    first, last = (
        _rounded(op, op.Mul(op.Slice(rois, [i], [i + 1], [1]), scale)) for i in (2 - axis, 4 - axis)
    )
    bin_size = op.Div(op.Max(op.Add(op.Sub(last, first), 1.0), 1.0), float(count))
    places = op.Cast(op.constant(np.arange(count + 1)[None]), to=rois.dtype)
    before, behind = (op.Slice(places, [i], [count + i], [1]) for i in (0, 1))
    start = op.Unsqueeze(op.Add(op.Floor(op.Mul(before, bin_size)), first), [2])
    end = op.Unsqueeze(op.Add(op.Ceil(op.Mul(behind, bin_size)), first), [2])
    size = length_at(op, given(node, 0), 2 + axis)
    pixels = op.Cast(numbered(op, size), to=rois.dtype)
    return op.And(op.GreaterOrEqual(pixels, start), op.Less(pixels, end))


def _rounded(op: RuleEmitter, value: ir.Value) -> ir.Value:
    """To the nearest whole number, halves away from 0."""
    return op.Mul(op.Sign(value), op.Floor(op.Add(op.Abs(value), 0.5)))
