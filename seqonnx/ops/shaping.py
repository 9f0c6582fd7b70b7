"""The same numbers in another shape, or with axes in another order."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, static_shape
from seqonnx.ops.promotion import tensor
from seqonnx.ops.sizes import (
    axes_of,
    axis_of,
    expanded,
    given_sizes,
    product,
    rank_of,
    reshaped,
    scalar,
    sizes_in,
    sizes_of,
)
from seqonnx.tensor_function import tensor_function


@tensor_function()
def reshape(op: Emitter, x: Any, newshape: Any) -> ir.Value:
    """Return x in another shape.

    Args:
        x: tensor.
        newshape: sizes, integers or scalars; one may be -1, the rest.

    Example:
        >>> reshape([1, 2, 3, 4], (2, -1)).tolist()
        [[1, 2], [3, 4]]
    """
    x = tensor(op, x)
    if isinstance(newshape, ir.Value):
        return reshaped(op, x, sizes_in(op, newshape))
    # None stands for a size that is not known: there may be one.
    sizes = [-1 if size is None else size for size in _parts(newshape)]
    return reshaped(op, x, given_sizes(sizes))


@tensor_function()
def ravel(op: Emitter, x: Any) -> ir.Value:
    """Return x as a vector."""
    return reshaped(op, tensor(op, x), [-1])


@tensor_function()
def transpose(op: Emitter, x: Any, axes: Any = None) -> ir.Value:
    """Return x with its axes in another order.

    Args:
        x: tensor.
        axes: for each axis of the result, the one of x; None: the reverse order.
    """
    x = tensor(op, x)
    rank = rank_of(x)
    order = list(range(rank))[::-1] if axes is None else [axis_of(a, rank) for a in axes]
    if sorted(order) != list(range(rank)):
        raise ValueError(f"`axes` must hold each axis of x once. Received: axes={axes}")
    return ordered(op, x, order)


@tensor_function()
def swapaxes(op: Emitter, x: Any, axis1: int, axis2: int) -> ir.Value:
    """Return x with two axes exchanged."""
    x = tensor(op, x)
    order = list(range(rank_of(x)))
    first, second = axis_of(axis1, len(order)), axis_of(axis2, len(order))
    order[first], order[second] = second, first
    return ordered(op, x, order)


@tensor_function()
def moveaxis(op: Emitter, x: Any, source: Any, destination: Any) -> ir.Value:
    """Return x with axes moved to other places; the others keep their order.

    Args:
        x: tensor.
        source: axis, or axes.
        destination: where each goes.
    """
    x = tensor(op, x)
    rank = rank_of(x)
    sources = [axis_of(a, rank) for a in _parts(source)]
    targets = [axis_of(a, rank) for a in _parts(destination)]
    order = [a for a in range(rank) if a not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return ordered(op, x, order)


@tensor_function()
def expand_dims(op: Emitter, x: Any, axis: Any) -> ir.Value:
    """Return x with new axes of size 1.

    Args:
        x: tensor.
        axis: place or places of these in the result.
    """
    x = tensor(op, x)
    places = _parts(axis)
    rank = rank_of(x) + len(places)
    return op.Unsqueeze(x, sorted(axis_of(a, rank) for a in places))


@tensor_function()
def squeeze(op: Emitter, x: Any, axis: Any = None) -> ir.Value:
    """Return x without axes of size 1.

    Args:
        x: tensor.
        axis: axis or axes; None: all that have the size 1.

    Raises:
        ValueError: if an axis is known to be of another size.
    """
    x = tensor(op, x)
    sizes = static_shape(x)
    if axis is None:
        axes = [a for a, size in enumerate(sizes) if size == 1]
    else:
        axes = axes_of(axis, len(sizes))
    for a in axes:
        if isinstance(sizes[a], int) and sizes[a] != 1:
            raise ValueError(
                f"Cannot squeeze axis={a}, because the dimension is not 1. "
                f"Received: x.shape={sizes}, axis={axis}"
            )
    return op.Squeeze(x, axes) if len(axes) > 0 else x


@tensor_function()
def broadcast_to(op: Emitter, x: Any, shape: Any) -> ir.Value:
    """Return x repeated along axes of size 1, to a shape."""
    return expanded(op, tensor(op, x), sizes_in(op, shape))


@tensor_function()
def shape(op: Emitter, x: Any) -> tuple[Any, ...]:
    """Return the sizes of x: integers where they are known, else int32 scalars."""
    sizes = sizes_of(tensor(op, x))
    return tuple(
        size if isinstance(size, int) else op.cast(scalar(op, size), "int32") for size in sizes
    )


@tensor_function()
def size(op: Emitter, x: Any) -> Any:
    """Return how many numbers x has: an integer where it is known, else an int32 scalar."""
    found = product(op, sizes_of(tensor(op, x)))
    return found if isinstance(found, int) else op.cast(scalar(op, found), "int32")


@tensor_function()
def ndim(op: Emitter, x: Any) -> int:
    """Return how many axes x has."""
    return rank_of(tensor(op, x))


def ordered(op: Emitter, x: ir.Value, order: list[int]) -> ir.Value:
    """Return a value with its axes in an order; itself where that is the one it has."""
    if order == list(range(len(order))):
        return x
    return op.Transpose(x, perm=order)


def _parts(given: Any) -> list[Any]:
    """One or several, as a list."""
    given = plain_value(given) if isinstance(given, np.ndarray | np.generic) else given
    return list(given) if isinstance(given, list | tuple) else [given]
