"""Noise that layers draw in training: masks and normal numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, dtype_name, ir_dtype, static_shape

_STEEP: Final = 2.0**30


def checked_rate(rate: Any) -> float:
    """Return a share of elements to drop.

    Raises:
        ValueError: if it is not a number from 0 to 1.

    Example:
        >>> checked_rate(1)
        1.0
    """
    if not isinstance(rate, int | float | np.number) or not 0 <= rate <= 1:
        raise ValueError(
            "Invalid value received for argument `rate`. Expected a float value between "
            f"0 and 1. Received: rate={rate}"
        )
    return float(rate)


def checked_noise_shape(noise_shape: Any) -> list[int | None] | None:
    """Return the `noise_shape` of a dropout.

    Raises:
        ValueError: if it is not a sequence of positive integers and None.

    Example:
        >>> checked_noise_shape((None, 1))
        [None, 1]
    """
    if noise_shape is None:
        return None
    head = "Invalid value received for argument `noise_shape`. Expected"
    if not isinstance(noise_shape, list | tuple):
        raise ValueError(f"{head} a tuple or list of integers. Received: noise_shape={noise_shape}")
    for i, size in enumerate(noise_shape):
        if size is not None and not isinstance(size, int):
            raise ValueError(
                f"{head} all elements to be integers or None. Received element at index {i}: "
                f"{size} (type: {type(size).__name__})"
            )
        if size is not None and size <= 0:
            raise ValueError(
                f"{head} all dimensions to be positive integers or None. Received negative or "
                f"zero value at index {i}: {size}"
            )
    return list(noise_shape)


def noise_sizes(
    op: Emitter, x: ir.Value, noise_shape: Sequence[int | None] | None
) -> tuple[Dim, ...]:
    """Return the shape of a mask.

    Args:
        op: emitter.
        x: value that the mask is for.
        noise_shape: sizes that were asked for, None where they are those of the value.

    Raises:
        ValueError: if there are not as many sizes as axes.
    """
    shape = static_shape(x)
    if noise_shape is None:
        return shape
    if len(noise_shape) != len(shape):
        raise ValueError(
            f"Argument `noise_shape` of layer '{op.scope_name}' must have as many sizes as its "
            f"input ({len(shape)}). Received: noise_shape={tuple(noise_shape)}"
        )
    return tuple(
        have if wanted is None else wanted for have, wanted in zip(shape, noise_shape, strict=True)
    )


def emit_mask(op: Emitter, x: ir.Value, shape: Sequence[Dim], rate: float) -> ir.Value:
    """Emit a mask: 0 with probability `rate`, else 1.

    A steep HardSigmoid cuts the noise at `rate`: on the CPU twice as fast as a comparison and a
    cast (measured).

    Args:
        op: emitter.
        x: value whose dtype the mask gets.
        shape: shape of the mask.
        rate: share of zeros, between 0 and 1.

    Returns:
        The mask.

    Raises:
        ValueError: if a size of the mask is not known (the batch may be).
    """
    noise = _uniform(op, shape)
    mask = op.HardSigmoid(noise, alpha=_STEEP, beta=-_STEEP * rate)
    return mask if dtype_name(x) == "float32" else op.Cast(mask, to=ir_dtype(dtype_name(x)))


def emit_normal(op: Emitter, x: ir.Value, mean: float, stddev: float) -> ir.Value:
    """Emit normally distributed numbers in the shape and dtype of a value.

    By the method of Box and Muller (1958): sqrt(-2 ln u) cos(2 pi v) of uniform u and v.

    Args:
        op: emitter.
        x: the value.
        mean: mean of the numbers.
        stddev: their standard deviation.

    Raises:
        ValueError: if a size of the value is not known (the batch may be).
    """
    shape = static_shape(x)
    # 1 - u lies in (0, 1]: its logarithm is finite.
    radius = op.Sqrt(op.Mul(op.Log(op.Sub(1.0, _uniform(op, shape))), -2.0 * stddev**2))
    normal = op.Mul(radius, op.Cos(op.Mul(_uniform(op, shape), 2.0 * math.pi)))
    if mean != 0.0:
        normal = op.Add(normal, mean)
    return op.cast(normal, dtype_name(x))


def _uniform(op: Emitter, shape: Sequence[Dim]) -> ir.Value:
    if None in shape:
        raise ValueError(
            f"Noise needs an input of known size. Received: shape={tuple(shape)} in layer "
            f"'{op.scope_name}'. Give the model's `Input` a fixed shape."
        )
    return op.random_uniform(shape)
