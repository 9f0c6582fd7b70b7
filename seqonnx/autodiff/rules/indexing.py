"""Gradients of picking elements: what was picked gets its gradient back, added up."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.placing import add_elements, add_slices, place
from seqonnx.autodiff.idioms.sizes import positions, reshape_like, shaped, size_at
from seqonnx.autodiff.needed import given, rank
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.sources import HALF_TYPES
from seqonnx.graph import static_shape
from seqonnx.graph.reading import constant_of, known_sizes, numpy_dtype
from seqonnx.graph.row_sums import RowSum, note_row_sum


@gradient("", "Gather")
def gather(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Add every picked slice to the place it came from."""
    x, indices = given(node, 0), given(node, 1)
    axis = node.attributes.get_int("axis", 0) % rank(x)
    size, fixed = static_shape(x)[axis], constant_of(indices)
    distinct = False
    if isinstance(size, int) and fixed is not None:
        taken = fixed.reshape(-1).astype(np.int64) % size
        distinct = np.unique(taken).size == taken.size
        if distinct and fixed.ndim <= 1:
            kept = op.Unsqueeze(dy, [axis]) if fixed.ndim == 0 else dy
            return shaped(place(op, kept, taken, size, axis), x.shape), None
    count = op.constant(np.array([size])) if isinstance(size, int) else size_at(op, x, axis)
    total = shaped(add_slices(op, dy, indices, count, axis, distinct=distinct), x.shape)
    if axis == 0 and dy.dtype not in HALF_TYPES and known_sizes(x) is not None:
        note_row_sum(total, RowSum(indices, dy))
    return total, None


@gradient("", "GatherElements")
def gather_elements(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Add every picked element to the place it came from."""
    x, axis = given(node, 0), node.attributes.get_int("axis", 0)
    return add_elements(op, "ScatterElements", x, given(node, 1), dy, axis), None


@gradient("", "GatherND")
def gather_nd(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Add every picked slice to the place it came from."""
    x, indices = given(node, 0), given(node, 1)
    for axis in reversed(range(node.attributes.get_int("batch_dims", 0))):
        indices = _with_positions(op, indices, axis)
    depth = static_shape(indices)[-1]
    if not isinstance(depth, int):
        return add_elements(op, "ScatterND", x, indices, dy), None
    where, count = _single_index(op, x, indices, depth)
    return reshape_like(op, add_slices(op, dy, where, count, 0), x), None


def _single_index(
    op: RuleEmitter, x: ir.Value, indices: ir.Value, depth: int
) -> tuple[ir.Value, ir.Value]:
    """Number the slices that tuples of `depth` indices name; also how many slices there are."""
    sizes = [size_at(op, x, axis) for axis in range(depth)]
    where = op.Mod(op.Gather(indices, np.array(0), axis=-1), sizes[0])
    count = sizes[0]
    for axis in range(1, depth):
        inner = op.Mod(op.Gather(indices, np.array(axis), axis=-1), sizes[axis])
        where = op.Add(op.Mul(where, sizes[axis]), inner)
        count = op.Mul(count, sizes[axis])
    return where, count


def _with_positions(op: RuleEmitter, indices: ir.Value, axis: int) -> ir.Value:
    """Put the position along `axis` before the indices: a batch axis made explicit."""
    count = rank(indices)
    shape = op.Concat(op.Shape(indices, end=count - 1), [1], axis=0)
    others = [i for i in range(count) if i != axis]
    place_of = positions(op, size_at(op, indices, axis))
    along = op.Unsqueeze(place_of, others) if others else place_of
    return shaped(
        op.Concat(op.Expand(along, shape), indices, axis=-1), _one_wider(static_shape(indices))
    )


def _one_wider(sizes: tuple[int | str | None, ...]) -> list[int | str | None]:
    """The shape of index tuples with one more entry."""
    last = sizes[-1]
    return [*sizes[:-1], last + 1 if isinstance(last, int) else None]


@gradient("", "TopK")
def top_k(op: RuleEmitter, node: ir.Node, dy: ir.Value | None, _: ir.Value | None) -> Gradients:
    """Each of the largest goes back to where it stood."""
    if dy is None:
        return None
    axis = node.attributes.get_int("axis", -1)
    x = given(node, 0)
    return add_elements(op, "ScatterElements", x, node.outputs[1], dy, axis), None


@gradient("", "OneHot")
def one_hot(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The two values (off, on) get what stands where they were put."""
    axis = node.attributes.get_int("axis", -1)
    marks = op.OneHot(given(node, 0), given(node, 1), _off_on(dy), axis=axis)
    on = op.ReduceSum(op.Mul(dy, marks), keepdims=0)
    off = op.Sub(op.ReduceSum(dy, keepdims=0), on)
    return None, None, reshape_like(op, op.Concat(*_vectors(op, off, on), axis=0), given(node, 2))


def _off_on(like: ir.Value) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    dtype = numpy_dtype(like)
    return np.array([0, 1], dtype)


def _vectors(op: RuleEmitter, *scalars: ir.Value) -> list[ir.Value]:
    return [op.Unsqueeze(value, [0]) for value in scalars]


@gradient("", "Compress")
def compress(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The slices where the condition holds go back to their places."""
    x = given(node, 0)
    taken = op.Squeeze(op.NonZero(given(node, 1)), [0])
    axis = node.attributes.get_int("axis", None)
    if axis is not None:
        axis %= rank(x)
        total = add_slices(op, dy, taken, size_at(op, x, axis), axis, distinct=True)
        return shaped(total, x.shape), None
    count = op.Reshape(op.Size(x), [1])
    return reshape_like(op, add_slices(op, dy, taken, count, 0, distinct=True), x), None
