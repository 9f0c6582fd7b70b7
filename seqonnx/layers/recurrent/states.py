"""States of a cell: a size, or a list of sizes, of which each may be a list again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, ir_dtype, static_shape


def flatten(states: Any) -> list[Any]:
    """Return what a nested list holds, in order.

    Example:
        >>> flatten([1, [2, 3]])
        [1, 2, 3]
    """
    return list(_leaves(states))


def packed(structure: Any, flat: Sequence[Any]) -> Any:
    """Return a flat list in the form of a nested one.

    Args:
        structure: nested list, or one item.
        flat: as many items.

    Example:
        >>> packed([1, [2, 3]], "abc")
        ['a', ['b', 'c']]
    """
    items = iter(flat)
    return _packed(structure, items)


def zero_states(op: Emitter, x: ir.Value, sizes: Any, dtype: str) -> list[ir.Value]:
    """Return states of zeros, one for each size.

    Args:
        op: emitter.
        x: input with the batch first.
        sizes: a size, the shape of a state as a tuple, or a list of these, which may be nested.
        dtype: dtype of the states.
    """
    if isinstance(sizes, tuple):
        return [zeros(op, x, sizes, dtype)]
    if isinstance(sizes, list):
        return [state for size in sizes for state in zero_states(op, x, size, dtype)]
    return [zeros(op, x, [sizes], dtype)]


def zeros(op: Emitter, x: ir.Value, shape: Sequence[Any], dtype: str, *, axis: int = 0) -> ir.Value:
    """Return zeros of shape (batch, *shape), with the batch of a value.

    Args:
        op: emitter.
        x: the value.
        shape: shape without the batch.
        dtype: dtype of the zeros.
        axis: axis of the value that is the batch.
    """
    batch: Dim = static_shape(x)[axis]
    sizes = op.Concat(op.Shape(x, start=axis, end=axis + 1), list(shape), axis=0)
    made = op.ConstantOfShape(sizes, value=ir.tensor([0.0], dtype=ir_dtype(dtype)))
    made.shape = ir.Shape([batch, *shape])
    return made


def _leaves(states: Any) -> Iterator[Any]:
    if isinstance(states, list | tuple):
        for state in states:
            yield from _leaves(state)
    else:
        yield states


def _packed(structure: Any, items: Iterator[Any]) -> Any:
    if isinstance(structure, list | tuple):
        return [_packed(part, items) for part in structure]
    return next(items)
