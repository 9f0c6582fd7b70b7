"""Adaptive pooling: the largest or the mean of windows whose number is given, not their size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.convolution.convolution import Size
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import (
    LAST,
    check_data_format,
    from_channels_first,
    spatial_axes,
    to_channels_first,
)
from seqonnx.ops.window import integers, shown_shape

Windows = list[tuple[int, int]]
"""Start and end of every window along an axis."""

_LEGAL = {
    1: "an integer or tuple of 1 integer",
    2: "an integer or (height, width) tuple",
    3: "an integer or (depth, height, width) tuple",
}


class _AdaptivePooling(Layer):
    """Base of the adaptive poolings: `_rank` is the number of spatial axes.

    Window i of n along an axis of size s goes from floor(i s / n) to ceil((i + 1) s / n), without
    the end: the windows cover the axis, and overlap where n does not divide s.
    """

    output_size: Setting[tuple[int, ...]] = Setting(until_built=True)
    data_format: Setting[str] = Setting(check_data_format, until_built=True)

    _rank: int
    _operator: str

    def __init__(
        self, output_size: Size, data_format: str | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.output_size = self._sizes(output_size)
        self.data_format = data_format
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def _sizes(self, given: Any) -> tuple[int, ...]:
        """One size for each axis, checked."""
        sizes = plain_value(given)
        listed = isinstance(sizes, list | tuple) and len(sizes) == self._rank
        if isinstance(sizes, bool) or not (isinstance(sizes, int) or listed):
            raise TypeError(
                f"`output_size` must be {_LEGAL[self._rank]}. "
                f"Received: {given} of type {type(given)}"
            )
        return integers(sizes, self._rank, "output_size")

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit one pooling where all windows of an axis are of one size and equally far apart.

        Else each axis is pooled alone, which comes to the same.
        """
        windows = self._windows(x)
        if self.data_format == LAST:
            x = to_channels_first(op, x)
        steps = [_regular(axis) for axis in windows]
        regular = [step for step in steps if step is not None]
        if len(regular) == len(steps):
            attributes = {
                "kernel_shape": [size for size, _ in regular],
                "strides": [step for _, step in regular],
            }
            y: ir.Value = op.emit(self._operator, [x], attributes)
        else:
            y = self._each_axis(op, x, windows)
        return from_channels_first(op, y) if self.data_format == LAST else y

    def _each_axis(self, op: Emitter, x: ir.Value, windows: Sequence[Windows]) -> ir.Value:
        """Emit the pooling of one axis after another; channels come first."""
        raise NotImplementedError

    def _windows(self, x: ir.Value) -> list[Windows]:
        """The windows along each axis.

        Raises:
            ValueError: if a size of the input is not known, on which they depend.
        """
        shape = static_shape(x)
        sizes = [shape[axis] for axis in spatial_axes(self.data_format, self._rank)]
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) < len(sizes):
            raise ValueError(
                f"Layer '{self.name}' ({type(self).__name__}) needs to know the sizes that it "
                f"pools: its windows depend on them. Received: `inputs.shape={shown_shape(shape)}`."
                " Give the input fixed sizes."
            )
        return [
            [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
            for size, count in zip(known, self.output_size, strict=True)
        ]


class _AdaptiveMaxPooling(_AdaptivePooling):
    """Base of the adaptive maximum poolings."""

    _operator = "MaxPool"

    def _each_axis(self, op: Emitter, x: ir.Value, windows: Sequence[Windows]) -> ir.Value:
        """Emit a Gather of every window, filled up with its last place, and its ReduceMax."""
        for axis, places in enumerate(windows, 2):
            longest = max(end - start for start, end in places)
            rows = [[min(start + i, end - 1) for i in range(longest)] for start, end in places]
            x = op.ReduceMax(op.Gather(x, np.array(rows), axis=axis), [axis + 1], keepdims=0)
        return x


class _AdaptiveAveragePooling(_AdaptivePooling):
    """Base of the adaptive mean poolings."""

    _operator = "AveragePool"

    def _each_axis(self, op: Emitter, x: ir.Value, windows: Sequence[Windows]) -> ir.Value:
        """Emit a MatMul over the last axis and bring the next one there, until all are through."""
        turned = [0, 1, self._rank + 1, *range(2, self._rank + 1)]
        for places in reversed(windows):
            means = np.zeros((places[-1][1], len(places)))
            for column, (start, end) in enumerate(places):
                means[start:end, column] = 1.0 / (end - start)
            assert x.dtype is not None
            x = op.MatMul(x, means.astype(x.dtype.numpy()))
            x = x if self._rank == 1 else op.Transpose(x, perm=turned)
        return x


def _regular(windows: Windows) -> tuple[int, int] | None:
    """Size and step of windows that a pooling operator can have; None where they differ."""
    sizes = {end - start for start, end in windows}
    steps = {after[0] - before[0] for before, after in pairwise(windows)}
    if len(sizes) > 1 or len(steps) > 1 or 0 in steps:
        return None
    return sizes.pop(), steps.pop() if len(steps) > 0 else 1


@register("layer")
class AdaptiveAveragePooling1D(_AdaptiveAveragePooling):
    """The mean of each of `output_size` windows in time; see `AdaptiveAveragePooling2D`.

    Example:
        >>> AdaptiveAveragePooling1D(2)([[[1.0], [2.0], [3.0]]]).tolist()
        [[[1.5], [2.5]]]
    """

    _rank = 1


@register("layer")
class AdaptiveAveragePooling2D(_AdaptiveAveragePooling):
    """The mean of each of height x width windows of an image, for each channel.

    Args:
        output_size: number of windows along each axis, or one int for both: the output's sizes.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        TypeError: if `output_size` is neither.
        ValueError: if it is not positive, or a size of the image is not known.

    Example:
        >>> AdaptiveAveragePooling2D(1)([[[[1.0], [2.0]], [[3.0], [4.0]]]]).tolist()
        [[[[2.5]]]]
    """

    _rank = 2


@register("layer")
class AdaptiveAveragePooling3D(_AdaptiveAveragePooling):
    """The mean of each of the windows of a volume; see `AdaptiveAveragePooling2D`.

    Example:
        >>> AdaptiveAveragePooling3D(1)([[[[[1.0], [3.0]]]]]).tolist()
        [[[[[2.0]]]]]
    """

    _rank = 3


@register("layer")
class AdaptiveMaxPooling1D(_AdaptiveMaxPooling):
    """The largest of each of `output_size` windows in time; see `AdaptiveMaxPooling2D`.

    Example:
        >>> AdaptiveMaxPooling1D(2)([[[1.0], [2.0], [3.0]]]).tolist()
        [[[2.0], [3.0]]]
    """

    _rank = 1


@register("layer")
class AdaptiveMaxPooling2D(_AdaptiveMaxPooling):
    """The largest of each of height x width windows of an image, for each channel.

    Args:
        output_size: number of windows along each axis, or one int for both: the output's sizes.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        TypeError: if `output_size` is neither.
        ValueError: if it is not positive, or a size of the image is not known.

    Example:
        >>> AdaptiveMaxPooling2D(1)([[[[1.0], [2.0]], [[3.0], [4.0]]]]).tolist()
        [[[[4.0]]]]
    """

    _rank = 2


@register("layer")
class AdaptiveMaxPooling3D(_AdaptiveMaxPooling):
    """The largest of each of the windows of a volume; see `AdaptiveMaxPooling2D`.

    Example:
        >>> AdaptiveMaxPooling3D(1)([[[[[1.0], [3.0]]]]]).tolist()
        [[[[[3.0]]]]]
    """

    _rank = 3
