"""Gradients of operators that read between pixels: through their definitions."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.rules.definition import by_definition
from seqonnx.autodiff.rules.reading import float_attribute, given, rank, static_sizes
from seqonnx.autodiff.rules.sampling import pixel_rows, sample
from seqonnx.autodiff.rules.sizes import reshape_like
from seqonnx.errors import GradientError

Values = list[ir.Value | None]


@gradient("", "GridSample")
def grid_sample(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Samples at normalized coordinates."""
    return by_definition(op, node, [dy], lambda inputs: [_grid_sample(op, node, inputs)])


def _grid_sample(op: RuleEmitter, node: ir.Node, inputs: Values) -> ir.Value:
    """The operator's output."""
    x, grid = given(node, 0), inputs[1]
    count = rank(x) - 2
    sizes = static_sizes(node, x, list(range(2, 2 + count)))
    corners = node.attributes.get_int("align_corners", 0) == 1
    flat = op.Reshape(grid, [0, -1, count])
    coordinates = []
    for i, size in enumerate(sizes):
        along = op.Gather(flat, np.array(count - 1 - i), axis=2)
        half = (size - 1) / 2 if corners else size / 2
        coordinates.append(op.Add(op.Mul(along, half), (size - 1) / 2))
    made = sample(
        op,
        pixel_rows(op, _at(inputs, 0)),
        coordinates,
        sizes,
        mode=node.attributes.get_string("mode", "linear") or "linear",
        outside=node.attributes.get_string("padding_mode", "zeros") or "zeros",
        corners=corners,
    )
    return reshape_like(op, op.Transpose(made, perm=[0, 2, 1]), node.outputs[0])


def _at(inputs: Values, index: int) -> ir.Value:
    value = inputs[index]
    if value is None:
        raise GradientError(f"The node lacks its input {index}, which its gradient needs.")
    return value


@gradient("", "RoiAlign")
def roi_align(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Means of samples in each cell of each region."""
    if node.attributes.get_string("mode", "avg") != "avg":
        raise GradientError(
            f"The gradient of RoiAlign (node '{node.name}') takes mode='avg'. Received: 'max', "
            f"which implementations compute in different ways."
        )
    if node.attributes.get_int("sampling_ratio", 0) < 1:
        raise GradientError(
            f"The gradient of RoiAlign (node '{node.name}') needs a fixed number of samples. "
            f"Received: sampling_ratio=0, which takes the number from the size of each region. "
            f"Set sampling_ratio to 1 or more."
        )
    return by_definition(op, node, [dy], lambda inputs: [_roi_align(op, node, inputs)])


def _roi_align(op: RuleEmitter, node: ir.Node, inputs: Values) -> ir.Value:
    """The operator's output."""
    sizes = static_sizes(node, given(node, 0), [2, 3])
    channels = static_sizes(node, given(node, 0), [1])[0]
    scale = float_attribute(node, "spatial_scale", 1.0)
    half = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    shift, least = (0.5, None) if half == "half_pixel" else (0.0, 1.0)
    cells = [node.attributes.get_int(f"output_{name}", 1) for name in ("height", "width")]
    each = node.attributes.get_int("sampling_ratio", 0)
    regions = op.Sub(op.Mul(_at(inputs, 1), scale), shift)
    along, kept = [], []
    for axis, (size, count) in enumerate(zip(sizes, cells, strict=True)):
        start, end = (op.Slice(regions, [i], [i + 1], [1]) for i in (1 - axis, 3 - axis))
        length = op.Sub(end, start)
        length = length if least is None else op.Max(length, least)
        steps = (np.arange(count * each) + 0.5) / (count * each)
        at = op.Add(start, op.Mul(length, steps.astype(_dtype(regions))[None]))
        kept.append(op.And(op.GreaterOrEqual(at, -1.0), op.LessOrEqual(at, float(size))))
        along.append(op.Clip(at, 0.0, size - 1.0))
    rows, columns = (count * each for count in cells)
    shape = [-1, rows * columns]
    y = op.Expand(op.Unsqueeze(along[0], [2]), [1, rows, columns])
    x = op.Expand(op.Unsqueeze(along[1], [1]), [1, rows, columns])
    made = sample(
        op,
        pixel_rows(op, _at(inputs, 0)),
        [op.Reshape(y, shape), op.Reshape(x, shape)],
        sizes,
        _at(inputs, 2),
    )
    inside = op.And(op.Unsqueeze(kept[0], [2]), op.Unsqueeze(kept[1], [1]))
    weights = op.Unsqueeze(op.Cast(op.Reshape(inside, shape), to=regions.dtype), [2])
    split = [-1, cells[0], each, cells[1], each, channels]
    means = op.ReduceMean(op.Reshape(op.Mul(made, weights), split), [2, 4], keepdims=0)
    return op.Transpose(means, perm=[0, 3, 1, 2])


@gradient("", "DeformConv")
def deform_conv(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """A convolution of samples at shifted places."""
    return by_definition(op, node, [dy], lambda inputs: [_deform_conv(op, node, inputs)])


def _deform_conv(op: RuleEmitter, node: ir.Node, inputs: Values) -> ir.Value:
    """The operator's output: samples (batch, taps, pixels, channels) times the filters."""
    channels, *sizes = static_sizes(node, given(node, 0), [1, 2, 3])
    filters, inner, *kernel = static_sizes(node, given(node, 1), [0, 1, 2, 3])
    made_sizes = static_sizes(node, node.outputs[0], [2, 3])
    taps, pixels = math.prod(kernel), math.prod(made_sizes)
    sets = node.attributes.get_int("offset_group", 1)
    groups = node.attributes.get_int("group", 1)
    x = op.Reshape(_at(inputs, 0), [-1, channels // sets, *sizes])
    shifts = op.Reshape(_at(inputs, 2), [-1, taps, 2, pixels])
    coordinates = []
    for axis, start in enumerate(_starts(node, kernel, made_sizes)):
        shift = op.Gather(shifts, np.array(axis), axis=2)
        moved = op.Add(shift, start.astype(_dtype(shift))[None])
        coordinates.append(op.Reshape(moved, [-1, taps * pixels]))
    made = sample(op, pixel_rows(op, x), coordinates, sizes)
    if len(inputs) > 4 and inputs[4] is not None:
        made = op.Mul(made, op.Reshape(inputs[4], [-1, taps * pixels, 1]))
    split = op.Reshape(made, [-1, sets, taps, pixels, channels // sets])
    columns = op.Reshape(
        op.Transpose(split, perm=[0, 1, 4, 2, 3]), [-1, groups, inner * taps, pixels]
    )
    rows = op.Reshape(_at(inputs, 1), [groups, filters // groups, inner * taps])
    y = op.Reshape(op.MatMul(rows, columns), [-1, filters, *made_sizes])
    bias = inputs[3] if len(inputs) > 3 else None
    return y if bias is None else op.Add(y, op.Reshape(bias, [filters, 1, 1]))


def _dtype(value: ir.Value) -> np.dtype[np.generic]:
    return np.dtype(np.float32 if value.dtype is None else value.dtype.numpy())


def _starts(
    node: ir.Node, kernel: list[int], made: list[int]
) -> list[np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """For each axis where each tap of each output pixel would read without a shift."""
    strides = node.attributes.get_ints("strides", [1, 1])
    dilations = node.attributes.get_ints("dilations", [1, 1])
    pads = node.attributes.get_ints("pads", [0] * 4)
    along = []
    for axis in (0, 1):
        taps = np.arange(kernel[axis]) * dilations[axis] - pads[axis]
        at = taps[:, None] + np.arange(made[axis]) * strides[axis]
        along.append(at.astype(np.float64))
    (tall, rows), (wide, columns) = along[0].shape, along[1].shape
    shape = (tall, wide, rows, columns)
    y = np.broadcast_to(along[0][:, None, :, None], shape)
    x = np.broadcast_to(along[1][None, :, None, :], shape)
    return [y.reshape(tall * wide, -1), x.reshape(tall * wide, -1)]
