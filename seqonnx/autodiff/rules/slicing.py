"""Gradients of cutting out and padding."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.placing import add_slices, place
from seqonnx.autodiff.idioms.sizes import positions, reshape_like, shaped, size_at, zero_pad
from seqonnx.autodiff.needed import given, rank, required_ints
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import constant_ints, input_at

_END = 2**31 - 1


@gradient("", "Slice")
def slice_(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Each axis back to its full size, with zeros where nothing was taken."""
    x = given(node, 0)
    if _axes_are_computed(node):
        return [shaped(_place_anywhere(op, node, dy), x.shape)]
    for i, axis in enumerate(_sliced_axes(node)):
        size, cut = static_shape(x)[axis], _constant_cut(node, i)
        if cut is not None and isinstance(size, int):
            dy = place(op, dy, np.arange(size, dtype=np.int64)[cut], size, axis)
        elif cut is None or cut.start != 0 or cut.step != 1 or cut.stop < _END:
            dy = _place_dynamically(op, node, dy, i, axis, _bounds(node))
    return [shaped(dy, x.shape)]


def _axes_are_computed(node: ir.Node) -> bool:
    """Whether only a run of the graph knows which axes are meant."""
    axes = input_at(node, 3)
    return axes is not None and constant_ints(axes) is None


def _bounds(node: ir.Node) -> list[ir.Value | None]:
    """Starts, ends and steps."""
    return [given(node, 1), given(node, 2), input_at(node, 4)]


def _place_anywhere(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> ir.Value:
    """Bounds for every axis: where none are given, those that take everything."""
    count = rank(given(node, 0))
    everything = (0, sys.maxsize, 1)
    bounds = [
        None if value is None else _for_every_axis(op, node, value, count, default)
        for value, default in zip(_bounds(node), everything, strict=True)
    ]
    for axis in range(count):
        dy = _place_dynamically(op, node, dy, axis, axis, bounds)
    return dy


def _for_every_axis(
    op: RuleEmitter, node: ir.Node, values: ir.Value, count: int, default: int
) -> ir.Value:
    """Numbers for some axes, whose list is computed, as numbers for all."""
    axes = op.Mod(op.Cast(given(node, 3), to=ir.DataType.INT64), np.int64(count))
    whole = op.Cast(values, to=ir.DataType.INT64)
    return op.ScatterElements(np.full(count, default, np.int64), axes, whole, axis=0)


def _sliced_axes(node: ir.Node) -> list[int]:
    """The axes that are sliced: those named, else the leading ones."""
    count = rank(given(node, 0))
    if input_at(node, 3) is not None:
        return [axis % count for axis in required_ints(node, 3, "axes")]
    named = static_shape(given(node, 1))[0]
    return list(range(named if isinstance(named, int) else count))


def _constant_cut(node: ir.Node, index: int) -> slice | None:
    """The slice along the axis at `index` in the list, or None if it is not constant."""
    starts, ends = constant_ints(given(node, 1)), constant_ints(given(node, 2))
    steps = [1] * (index + 1) if input_at(node, 4) is None else constant_ints(input_at(node, 4))
    if starts is None or ends is None or steps is None:
        return None
    # ONNX ends a backward slice before the front with a very negative number, Python with None.
    end = None if steps[index] < 0 and ends[index] < -_END else ends[index]
    return slice(starts[index], end, steps[index])


def _place_dynamically(
    op: RuleEmitter,
    node: ir.Node,
    dy: ir.Value,
    index: int,
    axis: int,
    bounds: Sequence[ir.Value | None],
) -> ir.Value:
    """Find the places in the graph: slice 0, 1, ... likewise, then invert."""
    size, count = size_at(op, given(node, 0), axis), op.Gather(op.Shape(dy), [axis])
    starts, ends, steps = (
        None if value is None else op.Slice(value, [index], [index + 1], [0]) for value in bounds
    )
    taken = op.Slice(positions(op, size), starts, ends, [0], steps)
    nothing = op.Expand(count, size)
    source = op.ScatterElements(nothing, taken, positions(op, count), axis=0)
    return op.Gather(zero_pad(op, dy, [0], [1], [axis]), source, axis=axis)


@gradient("", "Pad")
def pad(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Cut the padding off; reflected, repeated or wrapped elements add to their origin."""
    mode = node.attributes.get_string("mode", "constant")
    if mode == "constant":
        inner = _cut(op, node, dy)
        if not op.needs(2):
            return [inner]
        outside = op.Sub(op.ReduceSum(dy, keepdims=0), op.ReduceSum(inner, keepdims=0))
        return inner, None, reshape_like(op, outside, given(node, 2))
    return [_fold(op, node, dy)]


def _padded_axes(node: ir.Node) -> list[int]:
    """The axes that are padded: those named, else all."""
    count = rank(given(node, 0))
    if input_at(node, 3) is None or _axes_are_computed(node):
        return list(range(count))
    return [axis % count for axis in required_ints(node, 3, "axes")]


def _constant_pads(node: ir.Node) -> list[int] | None:
    """The padding of `_padded_axes`, if it is constant and for constant axes."""
    return None if _axes_are_computed(node) else constant_ints(given(node, 1))


def _pads(op: RuleEmitter, node: ir.Node) -> ir.Value:
    """The padding of `_padded_axes`, as a vector."""
    pads = given(node, 1)
    if not _axes_are_computed(node):
        return pads
    count, named = rank(given(node, 0)), op.Shape(given(node, 3))
    sides = (op.Slice(pads, [0], named, [0]), op.Slice(pads, named, [sys.maxsize], [0]))
    return op.Concat(*(_for_every_axis(op, node, side, count, 0) for side in sides), axis=0)


def _cut(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> ir.Value:
    """Cut constant padding off; negative padding comes back as zeros."""
    x, axes = given(node, 0), _padded_axes(node)
    pads, count = _constant_pads(node), len(axes)
    if pads is None:
        begin = op.Slice(_pads(op, node), [0], [count], [0])
        sizes = op.Gather(op.Shape(x), axes)
        return shaped(op.Slice(dy, begin, op.Add(begin, sizes), axes), x.shape)
    before, after = pads[:count], pads[count:]
    cut = [i for i in range(count) if before[i] > 0 or after[i] > 0]
    if cut:
        starts = [max(before[i], 0) for i in cut]
        ends = [-after[i] if after[i] > 0 else sys.maxsize for i in cut]
        dy = op.Slice(dy, starts, ends, [axes[i] for i in cut])
    if any(number < 0 for number in pads):
        spare = [max(-number, 0) for number in pads]
        dy = zero_pad(op, dy, spare[:count], spare[count:], axes)
    return shaped(dy, x.shape)


def _fold(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> ir.Value:
    """Add every element of the gradient to the element it was copied from, axis by axis."""
    x, axes = given(node, 0), _padded_axes(node)
    mode = node.attributes.get_string("mode", "constant")
    pads, sizes = _constant_pads(node), static_shape(x)
    for i, axis in enumerate(axes):
        size = sizes[axis]
        if pads is not None and isinstance(size, int):
            both = (pads[i], pads[len(axes) + i])
            if both == (0, 0):
                continue
            # NumPy types a mode only as a literal: a mode that is a variable needs the ignore.
            origin = op.constant(np.pad(np.arange(size), both, mode))  # type: ignore[call-overload]
            count = op.constant(np.array([size]))
        else:
            ends = op.Gather(_pads(op, node), [i, len(axes) + i])
            count = size_at(op, x, axis)
            origin = op.Pad(positions(op, count), ends, mode=mode)
        dy = add_slices(op, dy, origin, count, axis)
    return shaped(dy, x.shape)
