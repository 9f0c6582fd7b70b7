"""Axes that a normalization runs over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, Variable

Axes = int | list[int]


def checked_axes(axis: Any, problem: str) -> Axes:
    """Return an `axis` argument: an integer, or a list of them.

    Args:
        axis: the argument.
        problem: first words of the error.

    Raises:
        TypeError: if it is neither.

    Example:
        >>> checked_axes((1, 2), "")
        [1, 2]
    """
    axis = plain_value(axis)
    if isinstance(axis, int):
        return axis
    listed = isinstance(axis, list | tuple) and all(isinstance(item, int) for item in axis)
    if not listed or len(axis) == 0:
        raise TypeError(f"{problem}{axis!r}")
    return list(axis)


def counted_axes(axis: Axes, shape: Sequence[object]) -> list[int]:
    """Return axes counted from the first, in order.

    Args:
        axis: one or several; negative ones count from the last.
        shape: shape of the input, the batch included.

    Raises:
        ValueError: if the input has no such axis.

    Example:
        >>> counted_axes([-1, 1], (None, 4, 3))
        [1, 2]
    """
    rank = len(shape)
    listed = [axis] if isinstance(axis, int) else axis
    for item in listed:
        if not -rank <= item < rank:
            raise ValueError(
                f"Axis {item} is out of bounds for input shape {tuple(shape)}. "
                f"Received: axis={axis}"
            )
    return sorted({item % rank for item in listed})


def along(op: Emitter, weight: Variable, axes: Sequence[int], rank: int) -> Variable | ir.Value:
    """Return a weight so that it multiplies along some axes.

    Args:
        op: emitter.
        weight: has a size for each of the axes.
        axes: axes of the input, in order.
        rank: number of axes of the input.

    Example:
        >>> import numpy as np
        >>> from seqonnx.graph import static_shape
        >>> static_shape(along(Emitter(), Variable(np.ones(4), "scale"), [1], 3))
        (4, 1)
    """
    behind = range(axes[0], rank)
    if list(axes) == list(behind):
        return weight
    sizes = dict(zip(axes, weight.shape, strict=True))
    return op.Reshape(weight, [sizes.get(axis, 1) for axis in behind])
