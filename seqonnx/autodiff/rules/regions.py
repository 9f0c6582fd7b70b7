"""Gradient of RoiAlign, through its definition: samples in each cell of each region.

The largest sample of mode "max" is the largest product of a pixel and its weight, as in the
standard's evaluator and in ONNX Runtime; not the largest interpolated value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.definition import by_definition
from seqonnx.autodiff.idioms.lengths import Length, length_at, minus, number, sizes_vector, times
from seqonnx.autodiff.idioms.limits import lowest, zero_where
from seqonnx.autodiff.idioms.sampling import pixel_rows, sample
from seqonnx.autodiff.idioms.sizes import positions
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.errors import GradientError
from seqonnx.graph.reading import float_attribute, numpy_dtype


@dataclass(frozen=True)
class _Samples:
    """Samples along one axis.

    Args:
        at: where they are, (regions, cells * each).
        each: the largest number of samples in a cell.
        counted: which of them a region has, like `at`; None for all.
        count: how many a cell has, (regions, 1); None for `each`.
    """

    at: ir.Value
    each: Length
    counted: ir.Value | None = None
    count: ir.Value | None = None


@gradient("", "RoiAlign")
def roi_align(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Means or maxima of samples in each cell of each region."""
    return by_definition(op, node, [dy], lambda inputs: [roi_align_output(op, node, inputs)])


def roi_align_output(op: RuleEmitter, node: ir.Node, inputs: Sequence[ir.Value | None]) -> ir.Value:
    """The operator's output."""
    x, rois, picture = inputs[:3]
    if x is None or rois is None or picture is None:
        raise GradientError(f"The RoiAlign node '{node.name}' lacks an input.")
    lengths = [length_at(op, given(node, 0), axis) for axis in (2, 3)]
    half = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    shift, least = (0.5, None) if half == "half_pixel" else (0.0, 1.0)
    cells = [node.attributes.get_int(f"output_{name}", 1) for name in ("height", "width")]
    regions = op.Sub(op.Mul(rois, float_attribute(node, "spatial_scale", 1.0)), shift)
    along, places, kept = [], [], []
    for axis, (length, count) in enumerate(zip(lengths, cells, strict=True)):
        start, end = (op.Slice(regions, [i], [i + 1], [1]) for i in (1 - axis, 3 - axis))
        extent = op.Sub(end, start)
        extent = extent if least is None else op.Max(extent, least)
        made = _samples(op, start, extent, count, node.attributes.get_int("sampling_ratio", 0))
        size = number(op, length, regions)
        kept.append(op.And(op.GreaterOrEqual(made.at, -1.0), op.LessOrEqual(made.at, size)))
        places.append(op.Clip(made.at, 0.0, minus(op, size, 1.0)))
        along.append(made)
    rows, columns = (times(op, n, it.each) for n, it in zip(cells, along, strict=True))
    y = op.Expand(op.Unsqueeze(places[0], [2]), sizes_vector(op, [1, rows, columns]))
    x_at = op.Expand(op.Unsqueeze(places[1], [1]), sizes_vector(op, [1, rows, columns]))
    points = [op.Reshape(value, [0, -1]) for value in (y, x_at)]
    largest = node.attributes.get_string("mode", "avg") == "max"
    found = sample(op, pixel_rows(op, x), points, lengths, picture, apart=largest)
    inside = _both(op, kept, regions.dtype)
    found = op.Mul(found, op.Unsqueeze(inside, [1]) if largest else inside)
    shape = sizes_vector(op, [0, cells[0], along[0].each, cells[1], along[1].each, -1])
    reduce = _largest if largest else _mean
    return op.Transpose(reduce(op, found, along, shape), perm=[0, 3, 1, 2])


def _samples(op: RuleEmitter, start: ir.Value, extent: ir.Value, cells: int, each: int) -> _Samples:
    """Samples in the middle of equal parts of each cell; one a pixel, about, if `each` is 0."""
    if each > 0:
        steps = (np.arange(cells * each) + 0.5) / (cells * each)
        dtype = numpy_dtype(start)
        return _Samples(op.Add(start, op.Mul(extent, steps.astype(dtype)[None])), each)
    cell = op.Div(extent, float(cells))
    count = op.Ceil(cell)
    most = op.Cast(op.Max(op.ReduceMax(count, keepdims=0), 1.0), to=ir.DataType.INT64)
    numbers = op.Cast(positions(op, op.Unsqueeze(most, [0])), to=start.dtype)
    inside = op.Div(op.Add(numbers, 0.5), op.Max(count, 1.0))
    first = op.constant(np.arange(cells, dtype=np.float64).reshape(1, cells, 1))
    steps_of = op.Add(op.Cast(first, to=start.dtype), op.Unsqueeze(inside, [1]))
    at = op.Add(start, op.Mul(cell, op.Reshape(steps_of, [0, -1])))
    counted = op.Expand(op.Unsqueeze(op.Less(numbers, count), [1]), [1, cells, 1])
    return _Samples(at, most, op.Reshape(counted, [0, -1]), op.Max(count, 1.0))


def _both(op: RuleEmitter, masks: list[ir.Value], dtype: ir.DataType | None) -> ir.Value:
    """Where a point's row and column both count, as 0 and 1: (regions, points, 1)."""
    both = op.And(op.Unsqueeze(masks[0], [2]), op.Unsqueeze(masks[1], [1]))
    return op.Unsqueeze(op.Cast(op.Reshape(both, [0, -1]), to=dtype), [2])


def _counted(op: RuleEmitter, along: list[_Samples], dtype: ir.DataType | None) -> ir.Value | None:
    """Which points a region has; None for all."""
    masks = [it.counted for it in along if it.counted is not None]
    return _both(op, masks, dtype) if len(masks) == 2 else None


def _mean(
    op: RuleEmitter, found: ir.Value, along: list[_Samples], shape: list[int] | ir.Value
) -> ir.Value:
    """The mean of each cell."""
    counted = _counted(op, along, found.dtype)
    if counted is None:
        return op.ReduceMean(op.Reshape(found, shape), [2, 4], keepdims=0)
    total = op.ReduceSum(op.Reshape(op.Mul(found, counted), shape), [2, 4], keepdims=0)
    return op.Div(total, op.Unsqueeze(op.Mul(along[0].count, along[1].count), [2, 3]))


def _largest(
    op: RuleEmitter, found: ir.Value, along: list[_Samples], shape: list[int] | ir.Value
) -> ir.Value:
    """The largest weighted pixel of each cell; 0 where there is none."""
    best, counted = op.ReduceMax(found, [1], keepdims=0), _counted(op, along, found.dtype)
    if counted is None:
        return op.ReduceMax(op.Reshape(best, shape), [2, 4], keepdims=0)
    held = op.Where(op.Greater(counted, 0.0), best, lowest(best))
    most = op.ReduceMax(op.Reshape(held, shape), [2, 4], keepdims=0)
    return zero_where(op, op.Equal(most, lowest(best)), most)
