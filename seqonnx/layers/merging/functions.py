"""Merging in one call: functions that make a merging layer and call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from seqonnx.layers.merging import merging
from seqonnx.layers.merging.dot import Dot
from seqonnx.layers.options import LayerOptions


class _DotOptions(LayerOptions, total=False):
    """All arguments of `Dot` but its axes."""

    normalize: bool


def add(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> Any:
    """Return the sum of the inputs, as a layer `Add` gives it.

    Args:
        inputs: symbolic tensors, or arrays, with the batch first.
        **kwargs: arguments of the layer.

    Example:
        >>> add([np.ones((1, 2)), np.ones((1, 2))]).tolist()
        [[2.0, 2.0]]
    """
    return merging.Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> Any:
    """Return the first input less the second, as a layer `Subtract` gives it.

    Args:
        inputs: two symbolic tensors, or arrays, with the batch first.
        **kwargs: arguments of the layer.
    """
    return merging.Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> Any:
    """Return the product of the inputs, as a layer `Multiply` gives it; see `add`."""
    return merging.Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> Any:
    """Return the mean of the inputs, as a layer `Average` gives it; see `add`."""
    return merging.Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> Any:
    """Return the largest of the inputs, as a layer `Maximum` gives it; see `add`."""
    return merging.Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Unpack[LayerOptions]) -> Any:
    """Return the smallest of the inputs, as a layer `Minimum` gives it; see `add`."""
    return merging.Minimum(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Unpack[LayerOptions]) -> Any:
    """Return the inputs one after another, as a layer `Concatenate` gives them.

    Args:
        inputs: symbolic tensors, or arrays, with the batch first.
        axis: the axis, counted with the batch.
        **kwargs: further arguments of the layer.

    Example:
        >>> concatenate([np.ones((1, 2)), np.zeros((1, 1))]).tolist()
        [[1.0, 1.0, 0.0]]
    """
    return merging.Concatenate(axis, **kwargs)(inputs)


def dot(
    inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Unpack[_DotOptions]
) -> Any:
    """Return the products of two inputs along one axis of each, as a layer `Dot` gives them.

    Args:
        inputs: two symbolic tensors, or arrays, with the batch first.
        axes: the axis of each input, or one for both; counted with the batch.
        **kwargs: further arguments of the layer.

    Example:
        >>> dot([np.ones((1, 3)), np.full((1, 3), 2.0)]).tolist()
        [[6.0]]
    """
    return Dot(axes, **kwargs)(inputs)
