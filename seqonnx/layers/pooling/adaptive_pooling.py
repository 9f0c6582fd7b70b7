"""Adaptive pooling: the largest or the mean of windows whose number is given, not their size."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.convolution.convolution import Size
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.adaptive import adaptive_pooled, windows_of
from seqonnx.ops.channels import (
    check_data_format,
)
from seqonnx.ops.window import integers, shown_shape

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

    _casts_integers = True

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
        """Emit the pooling.

        Raises:
            ValueError: if a size of the input is not known, on which the windows depend.
        """
        windows = windows_of(x, self.output_size, self.data_format)
        if windows is None:
            raise ValueError(
                f"Layer '{self.name}' ({type(self).__name__}) needs to know the sizes that it "
                "pools: its windows depend on them. Received: "
                f"`inputs.shape={shown_shape(static_shape(x))}`. Give the input fixed sizes."
            )
        return adaptive_pooled(op, self._operator, x, windows, self.data_format)


class _AdaptiveMaxPooling(_AdaptivePooling):
    """Base of the adaptive maximum poolings."""

    _operator = "MaxPool"


class _AdaptiveAveragePooling(_AdaptivePooling):
    """Base of the adaptive mean poolings."""

    _operator = "AveragePool"


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
