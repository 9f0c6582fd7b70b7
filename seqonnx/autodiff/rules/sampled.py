"""Gradients of operators that read between pixels: through their definitions."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.definition import by_definition
from seqonnx.autodiff.idioms.lengths import (
    Length,
    length_at,
    minus,
    number,
    numbered,
    sizes_vector,
    times,
)
from seqonnx.autodiff.idioms.sampling import pixel_rows, sample
from seqonnx.autodiff.idioms.sizes import reshape_like, shaped
from seqonnx.autodiff.needed import given, rank, required_sizes
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
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
    sizes = [length_at(op, x, axis) for axis in range(2, 2 + count)]
    corners = node.attributes.get_int("align_corners", 0) == 1
    flat = op.Reshape(grid, [0, -1, count])
    coordinates = []
    for i, size in enumerate(sizes):
        along = op.Gather(flat, np.array(count - 1 - i), axis=2)
        whole = number(op, size, along)
        last = minus(op, whole, 1.0)
        place = op.Add(op.Mul(along, last if corners else whole), last)
        coordinates.append(op.Mul(place, 0.5))
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


@gradient("", "DeformConv")
def deform_conv(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """A convolution of samples at shifted places."""
    return by_definition(op, node, [dy], lambda inputs: [_deform_conv(op, node, inputs)])


def _deform_conv(op: RuleEmitter, node: ir.Node, inputs: Values) -> ir.Value:
    """The operator's output: samples (batch, taps, pixels, channels) times the filters."""
    filters, inner, *kernel = required_sizes(node, given(node, 1), [0, 1, 2, 3])
    sets = node.attributes.get_int("offset_group", 1)
    groups = node.attributes.get_int("group", 1)
    each, taps = inner * groups // sets, math.prod(kernel)
    sizes = [length_at(op, given(node, 0), axis) for axis in (2, 3)]
    made_sizes = [length_at(op, node.outputs[0], axis) for axis in (2, 3)]
    pixels = times(op, *made_sizes)
    points = times(op, taps, pixels)
    x = op.Reshape(_at(inputs, 0), sizes_vector(op, [-1, each, *sizes]))
    shifts = op.Reshape(_at(inputs, 2), sizes_vector(op, [-1, taps, 2, pixels]))
    coordinates = []
    for axis in (0, 1):
        shift = op.Gather(shifts, np.array(axis), axis=2)
        moved = op.Add(shift, op.Cast(_starts(op, node, kernel, made_sizes, axis), to=shift.dtype))
        coordinates.append(op.Reshape(moved, [0, -1]))
    made = sample(op, pixel_rows(op, shaped(x, [None, each, None, None])), coordinates, sizes)
    if len(inputs) > 4 and inputs[4] is not None:
        made = op.Mul(made, op.Reshape(inputs[4], sizes_vector(op, [-1, points, 1])))
    split = op.Reshape(made, sizes_vector(op, [-1, sets, taps, pixels, each]))
    columns = op.Reshape(
        op.Transpose(split, perm=[0, 1, 4, 2, 3]),
        sizes_vector(op, [-1, groups, inner * taps, pixels]),
    )
    rows = op.Reshape(_at(inputs, 1), [groups, filters // groups, inner * taps])
    y = op.Reshape(op.MatMul(rows, columns), sizes_vector(op, [-1, filters, *made_sizes]))
    bias = inputs[3] if len(inputs) > 3 else None
    return y if bias is None else op.Add(y, op.Reshape(bias, [filters, 1, 1]))


def _starts(
    op: RuleEmitter, node: ir.Node, kernel: list[int], made: list[Length], axis: int
) -> ir.Value:
    """Where each tap of each output pixel would read without a shift, (taps, pixels)."""
    stride = list(node.attributes.get_ints("strides", [1, 1]))[axis]
    dilation = list(node.attributes.get_ints("dilations", [1, 1]))[axis]
    pad = list(node.attributes.get_ints("pads", [0] * 4))[axis]
    taps = np.arange(kernel[axis]) * dilation - pad
    steps = op.Mul(numbered(op, made[axis]), stride)
    # Axes: rows and columns of taps, rows and columns of pixels.
    behind = op.Unsqueeze(steps, [0, 1, 3 - axis])
    at = op.Add(behind, np.expand_dims(taps, [1 - axis, 2, 3]))
    whole = op.Expand(at, sizes_vector(op, [*kernel, *made]))
    return op.Reshape(whole, sizes_vector(op, [math.prod(kernel), times(op, *made)]))
