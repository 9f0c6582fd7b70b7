"""Packing: small vectors are laid end to end and updated as one.

A node costs half a microsecond however little it computes (measured on ONNX Runtime's CPU
provider), and a network has more biases and normalisation weights than it has matrices. Vectors
need no reshaping: three times as many nodes as slots do for all of them what Adam's twelve do for
each.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape

_LONGEST = 16_384
"""Elements of a vector that is worth copying for."""
_FEWEST = 3
"""Vectors that are worth two more nodes for each slot."""


def pack(values: Sequence[ir.Value], kinds: Callable[[int], Hashable]) -> list[list[int]]:
    """Return groups of indices, each value in one of them, in the order of their first members.

    Args:
        values: variables.
        kinds: for an index, what all members of a group must have in common besides the type.
    """
    groups: dict[Hashable, list[int]] = {}
    for index, value in enumerate(values):
        key = (value.dtype, kinds(index)) if _small_vector(value) else index
        groups.setdefault(key, []).append(index)
    split = [[g] if len(g) >= _FEWEST else [[i] for i in g] for g in groups.values()]
    return sorted((group for parts in split for group in parts), key=lambda group: group[0])


def join(op: Emitter, values: Sequence[ir.Value], *, elementwise: bool) -> ir.Value:
    """Lay vectors end to end; one value stays as it is, or becomes a vector where that is faster.

    ONNX Runtime's CPU provider takes 35 times as long for a product with a scalar where the last
    axis has one element, such as for the kernels of pointwise convolutions (measured).
    """
    if len(values) == 1:
        value = values[0]
        return op.Reshape(value, [-1]) if elementwise and _ends_in_one(value) else value
    return op.Concat(*values, axis=0)


def part(
    op: Emitter, value: ir.Value, like: Sequence[ir.Value], *, elementwise: bool
) -> list[ir.Value]:
    """Cut what `join` made into values of the shapes of `like`."""
    if len(like) == 1:
        flat = elementwise and _ends_in_one(like[0])
        return [op.Reshape(value, _sizes(like[0])) if flat else value]
    sizes = [static_shape(v)[0] for v in like]
    return list(op.Split(value, sizes, axis=0, _outputs=len(like)))


def _sizes(value: ir.Value) -> list[int]:
    """The sizes of a value that are known."""
    return [d for d in static_shape(value) if isinstance(d, int)]


def _ends_in_one(value: ir.Value) -> bool:
    """Whether a value has several axes, all known, and the last has one element."""
    if value.shape is None or len(value.shape) < 2 or not value.shape.is_static():
        return False
    return _sizes(value)[-1] == 1


def _small_vector(value: ir.Value) -> bool:
    """Whether a value is a vector that is cheaper to copy than to visit."""
    if value.shape is None or len(value.shape) != 1:
        return False
    size = value.shape[0]
    return isinstance(size, int) and 0 < size <= _LONGEST
