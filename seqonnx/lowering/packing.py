"""Packing: small weights are concatenated and updated as one.

A form, not a pass: optimizers ask for it while they are emitted, and nothing that stands in the
graph already is changed.

A node costs half a microsecond however little it computes (measured on ONNX Runtime's CPU
provider), and a network has more biases and normalisation weights than it has matrices. What
differs in its first axis at most needs no reshaping: three times as many nodes as slots do for all
of them what Adam's twelve do for each.

So do the small matrices of a deep stack: measured with one thread, a step of 150 Dense layers of
32 units takes 0.74 of the time, and its session is made in 0.44 of it. With 64 units the step
takes 0.95, with 128 units the copies cost more than the nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.reading import known_sizes

_LONGEST = 16_384
"""Elements of a vector that is worth copying for."""
_LARGEST = 4_096
"""Elements of a weight of several axes that is worth copying for."""
_TOGETHER = 131_072
"""Elements of several axes to update as one: what is read again stays in the cache of a core."""
_FEWEST = 3
"""Weights that are worth two more nodes for each slot."""


def pack(
    values: Sequence[ir.Value], kinds: Callable[[int], Hashable], *, matrices: bool
) -> list[list[int]]:
    """Return groups of indices, each value in one of them, in the order of their first members.

    All members of a group have the same sizes but for the first.

    Args:
        values: variables.
        kinds: for an index, what all members of a group must have in common besides the dtype.
        matrices: whether an update has nodes enough to copy what has several axes for.
    """
    groups: dict[Hashable, list[int]] = {}
    filled: dict[Hashable, int] = {}
    for index, value in enumerate(values):
        sizes = known_sizes(value) or ()
        key: Hashable = index
        if _is_small(sizes) and (matrices or len(sizes) == 1):
            key = like = (value.dtype, kinds(index), tuple(sizes[1:]))
            if len(sizes) > 1:
                filled[like] = filled.get(like, 0) + math.prod(sizes)
                key = (like, filled[like] // _TOGETHER)
        groups.setdefault(key, []).append(index)
    split = [[g] if len(g) >= _FEWEST else [[i] for i in g] for g in groups.values()]
    return sorted((group for parts in split for group in parts), key=lambda group: group[0])


def join(op: Emitter, values: Sequence[ir.Value], *, elementwise: bool) -> ir.Value:
    """Concatenate along the first axis; one stays as it is, or becomes a vector if that is faster.

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
        return [op.Reshape(value, list(known_sizes(like[0]) or ())) if flat else value]
    sizes = [static_shape(v)[0] for v in like]
    return list(op.Split(value, sizes, axis=0, _outputs=len(like)))


def _ends_in_one(value: ir.Value) -> bool:
    """Whether a value has several axes, all known, and the last has one element."""
    sizes = known_sizes(value) or ()
    return len(sizes) > 1 and sizes[-1] == 1


def _is_small(sizes: Sequence[int]) -> bool:
    """Whether a weight of these sizes is cheaper to copy than to visit."""
    if len(sizes) > 1 and sizes[-1] == 1:  # see `join`
        return False
    return 0 < math.prod(sizes) <= (_LONGEST if len(sizes) == 1 else _LARGEST) and len(sizes) > 0
