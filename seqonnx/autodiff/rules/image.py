"""Gradients of operators on pictures and grids that move or combine elements linearly."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.autodiff.idioms.lengths import length_at, numbered
from seqonnx.autodiff.idioms.sizes import positions, shaped, size_at, zero_pad
from seqonnx.autodiff.needed import given, rank, required_sizes
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import constant_ints, numpy_dtype


@gradient("", "CenterCropPad")
def center_crop_pad(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Cropping undoes padding and padding cropping, both with the odd element at the end."""
    x = given(node, 0)
    axes = [a % rank(x) for a in node.attributes.get_ints("axes", range(rank(x)))]
    sizes = static_shape(x)
    for axis, target in zip(axes, _targets(node, axes), strict=True):
        size = sizes[axis]
        if target is not None and target == size:
            continue
        if not isinstance(size, int) or not isinstance(target, int):
            dy = _undo_crop_pad(op, dy, x, axis)
            continue
        first = abs(size - target) // 2
        if size > target:
            dy = zero_pad(op, dy, [first], [size - target - first], [axis])
        else:
            dy = op.Slice(dy, [first], [first + size], [axis])
    return [shaped(dy, x.shape)]


def _undo_crop_pad(op: RuleEmitter, dy: ir.Value, x: ir.Value, axis: int) -> ir.Value:
    """Of unknown sizes: fill up with zeros as if cropped, then cut as if padded."""
    size, new = size_at(op, x, axis), size_at(op, dy, axis)
    cropped, padded = (op.Max(op.Sub(*pair), 0) for pair in ((size, new), (new, size)))
    before = op.Div(cropped, 2)
    # For all axes: see `zero_pad`.
    zeros = [[0] * count for count in (axis, rank(x) - 1, rank(x) - 1 - axis)]
    pads: list[list[int] | ir.Value]
    pads = [zeros[0], before, zeros[1], op.Sub(cropped, before), zeros[2]]
    filled = op.Pad(dy, op.Concat(*[part for part in pads if part != []], axis=0))
    start = op.Div(padded, 2)
    return op.Slice(filled, start, op.Add(start, size), [axis])


def _targets(node: ir.Node, axes: list[int]) -> list[int | str | None]:
    """The sizes that the axes got."""
    fixed = constant_ints(given(node, 1))
    if fixed is not None:
        return list(fixed)
    shape = static_shape(node.outputs[0])
    return [shape[axis] for axis in axes]


@gradient("", "Col2Im")
def col2im(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Every block reads again the pixels that it was added to."""
    image, block = constant_ints(given(node, 1)), constant_ints(given(node, 2))
    if image is None or block is None:
        return _read_anywhere(op, node, dy), None, None
    count = len(image)
    strides = node.attributes.get_ints("strides", [1] * count)
    dilations = node.attributes.get_ints("dilations", [1] * count)
    pads = node.attributes.get_ints("pads", [0] * (2 * count))
    axes = list(range(2, 2 + count))
    padded = zero_pad(op, dy, pads[:count], pads[count:], axes) if any(pads) else dy
    sizes = [image[i] + pads[i] + pads[count + i] for i in range(count)]
    place = np.zeros((1,) * (2 * count), np.int64)
    for i in range(count):
        blocks = (sizes[i] - dilations[i] * (block[i] - 1) - 1) // strides[i] + 1
        taps = np.arange(block[i])[:, None] * dilations[i] + np.arange(blocks) * strides[i]
        shape = [1] * (2 * count)
        shape[i], shape[count + i] = taps.shape
        place = place * sizes[i] + taps.reshape(shape)
    taken = math.prod(block)
    pixels = op.Reshape(padded, [0, 0, math.prod(sizes)])
    windows = op.Gather(pixels, place.reshape(taken, -1), axis=2)
    columns = op.Reshape(windows, [0, -1, place.size // taken])
    return shaped(columns, given(node, 0).shape), None, None


def _read_anywhere(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> ir.Value:
    """The same for shapes that only a run of the graph knows: one axis after the other."""
    count = rank(dy) - 2
    strides = node.attributes.get_ints("strides", [1] * count)
    dilations = node.attributes.get_ints("dilations", [1] * count)
    pads = node.attributes.get_ints("pads", [0] * (2 * count))
    windows = zero_pad(op, dy, pads[:count], pads[count:], list(range(2, 2 + count)))
    for i in range(count):
        # Axis 2 + i of the image becomes the taps and, behind all images' axes, the blocks.
        axis = 2 + 2 * i
        size = size_at(op, windows, axis)
        taps = positions(op, op.Slice(given(node, 2), [i], [i + 1], [0]))
        taps = op.Mul(taps, np.int64(dilations[i]))
        reach = op.Add(op.ReduceMax(taps, keepdims=1), np.int64(1))
        blocks = op.Add(op.Div(op.Sub(size, reach), np.int64(strides[i])), np.int64(1))
        starts = op.Mul(positions(op, blocks), np.int64(strides[i]))
        place = op.Add(op.Unsqueeze(taps, [1]), op.Unsqueeze(starts, [0]))
        windows = op.Gather(windows, place, axis=axis)
    order = [0, 1, *(2 + 2 * i for i in range(count)), *(3 + 2 * i for i in range(count))]
    turned = op.Transpose(windows, perm=order)
    sizes = op.Shape(turned)
    taken = op.ReduceProd(op.Slice(sizes, [1], [2 + count], [0]), keepdims=1)
    ends = op.Concat(op.Slice(sizes, [0], [1], [0]), taken, np.array([-1]), axis=0)
    return shaped(op.Reshape(turned, ends), given(node, 0).shape)


@gradient("", "AffineGrid")
def affine_grid(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """grid = theta (x, y, 1): the sum of dgrid (x, y, 1)^T over the points."""
    size, made = constant_ints(given(node, 1)), node.outputs[0]
    count = rank(made) - 2 if size is None else len(size) - 2
    spatial = required_sizes(node, made, list(range(1, 1 + count))) if size is None else size[2:]
    corners = node.attributes.get_int("align_corners", 0) == 1
    points = _points(spatial, corners=corners)
    dtype = numpy_dtype(dy)
    flat = op.Reshape(dy, [0, points.shape[0], count])
    theta = op.MatMul(op.Transpose(flat, perm=[0, 2, 1]), points.astype(dtype))
    return shaped(theta, given(node, 0).shape), None


def _points(sizes: list[int], *, corners: bool) -> npt.NDArray[np.float64]:
    """Homogeneous coordinates of all points, the last axis of the picture first."""
    along = []
    for size in sizes:
        if corners:
            along.append(np.linspace(-1, 1, size) if size > 1 else np.zeros(1))
        else:
            along.append((2 * np.arange(size) + 1) / size - 1)
    grid = np.meshgrid(*along, indexing="ij")
    return np.stack([g.reshape(-1) for g in grid[::-1]] + [np.ones(math.prod(sizes))], axis=1)


@gradient("", "Det")
def det(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Cofactors, as determinants of what is left without a row and a column: right when singular.

    Of order n^5 for a matrix of n rows.
    """
    x = given(node, 0)
    lead = rank(x) - 2
    size = static_shape(x)[lead]
    dy = op.Unsqueeze(dy, [lead, lead + 1])
    if size == 1:
        return dy
    others, signs = _cofactors(op, x, lead)
    rows = op.Gather(x, others, axis=lead)
    both = op.Gather(rows, others, axis=lead + 2)
    axes = list(range(lead))
    minors = op.Transpose(both, perm=[*axes, lead, lead + 2, lead + 1, lead + 3])
    found = op.Mul(op.Mul(op.Det(minors), op.Cast(signs, to=x.dtype)), dy)
    return shaped(found, x.shape)


def _cofactors(op: RuleEmitter, x: ir.Value, axis: int) -> tuple[ir.Value, ir.Value]:
    """For each row the numbers of the others, and the signs of the minors."""
    size = length_at(op, x, axis)
    if isinstance(size, int):
        others = [[j for j in range(size) if j != i] for i in range(size)]
        signs = 1 - 2 * (np.add.outer(np.arange(size), np.arange(size)) % 2)
        return op.constant(np.array(others)), op.constant(signs)
    numbers = numbered(op, size)
    down = op.Unsqueeze(numbers, [1])
    first = op.Slice(numbers, [0], [-1], [0])
    behind = op.Cast(op.GreaterOrEqual(first, down), to=ir.DataType.INT64)
    odd = op.Mod(op.Add(numbers, down), 2)
    return op.Add(first, behind), op.Sub(1, op.Mul(odd, 2))
