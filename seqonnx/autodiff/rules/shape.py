"""Gradients of what only moves, joins or repeats elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.limits import zero_where
from seqonnx.autodiff.idioms.sizes import fill_like, reshape_like, shaped, size_at
from seqonnx.autodiff.needed import given, rank
from seqonnx.autodiff.registry import Gradients, declare, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import constant_ints

_PADDED = (ir.DataType.FLOAT, ir.DataType.DOUBLE)
"""Types for which ONNX Runtime pads on the CPU; it takes 0.8 of the time of joining with zeros."""


@gradient("", "Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Back to the shape that it had."""
    return [reshape_like(op, dy, given(node, 0))]


@gradient("", "Transpose")
def transpose(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The inverse permutation."""
    perm = node.attributes.get_ints("perm", None)
    if perm is None:
        return op.Transpose(dy)
    return op.Transpose(dy, perm=[int(i) for i in np.argsort(perm)])


@gradient("", "Expand")
def expand(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The gradient itself: the engine sums it back."""
    return dy, None


@gradient("", "Cast", "CastLike")
def cast(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Back to the type that it had."""
    return [op.Cast(dy, to=given(node, 0).dtype)]


@gradient("", "Where")
def where(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Each side gets the gradient where it was chosen."""
    condition = given(node, 0)
    on = op.Where(condition, dy, 0.0) if op.needs(1) else None
    return None, on, zero_where(op, condition, dy) if op.needs(2) else None


@gradient("", "Concat")
def concat(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Cut where it was joined."""
    parts = [given(node, i) for i in range(len(node.inputs))]
    if len(parts) == 1:
        return dy
    axis = node.attributes.get_int("axis", 0)
    sizes = [None if part.shape is None else static_shape(part)[axis] for part in parts]
    known = [size for size in sizes if isinstance(size, int)]
    if len(known) < len(parts):
        lengths = op.Concat(*[op.Gather(op.Shape(part), [axis]) for part in parts], axis=0)
        return list(op.Split(dy, lengths, axis=axis, _outputs=len(parts)))
    if all(op.needs(i) for i in range(len(parts))):
        return list(op.Split(dy, known, axis=axis, _outputs=len(parts)))
    ends = [int(end) for end in np.cumsum(known)]
    return [
        op.Slice(dy, [end - size], [end], [axis]) if op.needs(i) else None
        for i, (size, end) in enumerate(zip(known, ends, strict=True))
    ]


@gradient("", "Split")
def split(op: RuleEmitter, node: ir.Node, *grads: ir.Value | None) -> Gradients:
    """Join what was cut; parts without a gradient are padding at the ends, zeros between."""
    axis = node.attributes.get_int("axis", 0)
    used = [i for i, grad in enumerate(grads) if grad is not None]
    start, stop = used[0], used[-1] + 1
    before, after = (_length(node.outputs[a:b], axis) for a, b in ((0, start), (stop, None)))
    if before is None or after is None or node.outputs[0].dtype not in _PADDED:
        start, stop, before, after = 0, len(grads), 0, 0
    parts = [
        fill_like(op, part) if grad is None else grad
        for part, grad in zip(node.outputs[start:stop], grads[start:stop], strict=True)
    ]
    joined = parts[0] if len(parts) == 1 else op.Concat(*parts, axis=axis)
    if before + after == 0:
        return [joined]
    return [shaped(op.Pad(joined, [before, after], None, [axis]), given(node, 0).shape)]


def _length(parts: Sequence[ir.Value], axis: int) -> int | None:
    """Length of neighbouring parts together; None where one is unknown."""
    sizes = [static_shape(part)[axis] for part in parts]
    known = [size for size in sizes if isinstance(size, int)]
    return sum(known) if len(known) == len(sizes) else None


@gradient("", "Tile")
def tile(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Sum over the repetitions: an axis of size n repeated r times is (r, n)."""
    x = given(node, 0)
    count = rank(x)
    sizes, repeats = static_shape(x), constant_ints(given(node, 1))
    known = [size if isinstance(size, int) else -1 for size in sizes]
    if repeats is not None and known.count(-1) <= 1:
        pairs = [number for pair in zip(repeats, known, strict=True) for number in pair]
        unfolded = op.Reshape(dy, pairs)
    else:
        columns = op.Unsqueeze(given(node, 1), [1]), op.Unsqueeze(op.Shape(x), [1])
        unfolded = op.Reshape(dy, op.Reshape(op.Concat(*columns, axis=1), [-1]))
    axes = list(range(0, 2 * count, 2))
    return shaped(op.ReduceSum(unfolded, axes, keepdims=0), x.shape), None


@gradient("", "Trilu")
def trilu(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The same triangle."""
    upper = node.attributes.get_int("upper", 1)
    return [op.Trilu(dy, *node.inputs[1:], upper=upper)]


@gradient("", "ReverseSequence")
def reverse_sequence(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Reversing again."""
    batch_axis = node.attributes.get_int("batch_axis", 1)
    time_axis = node.attributes.get_int("time_axis", 0)
    again = op.ReverseSequence(dy, given(node, 1), batch_axis=batch_axis, time_axis=time_axis)
    return again, None


@gradient("", "SpaceToDepth")
def space_to_depth(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """DepthToSpace undoes it."""
    return op.DepthToSpace(dy, blocksize=node.attributes.get_int("blocksize", 1))


@gradient("", "DepthToSpace")
def depth_to_space(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """SpaceToDepth undoes it; the channels of the mode CRD are then in another order."""
    x, block = given(node, 0), node.attributes.get_int("blocksize", 1)
    folded = op.SpaceToDepth(dy, blocksize=block)
    if node.attributes.get_string("mode", "DCR") == "DCR":
        return folded
    if block == 1:
        return dy
    channels = op.Div(size_at(op, x, 1), block * block)
    sizes = op.Concat(
        size_at(op, x, 0), [block * block], channels, op.Shape(folded, start=2), axis=0
    )
    swapped = op.Transpose(op.Reshape(folded, sizes), perm=[0, 2, 1, 3, 4])
    return reshape_like(op, swapped, x)


declare(
    "",
    *("Shape", "Size", "NonZero", "Unique"),
    reason="returns sizes or positions",
)
declare(
    "",
    *("Constant", "ConstantOfShape", "EyeLike", "Range"),
    reason="makes constants",
)
declare(
    "",
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Bernoulli", "Multinomial"),
    reason="draws random numbers",
)
