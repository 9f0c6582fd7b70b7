"""Pooling: the largest or the mean of every window."""

from __future__ import annotations

from typing import Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.convolution.convolution import Size
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import check_data_format
from seqonnx.ops.window import check_padding, integers
from seqonnx.ops.windowed import pooled


class _Pooling(Layer):
    """Base of the poolings: `rank` is the number of spatial axes, `operator` the ONNX operator."""

    _casts_integers = True

    pool_size: Setting[tuple[int, ...]] = Setting(until_built=True)
    strides: Setting[tuple[int, ...]] = Setting(until_built=True)
    padding: Setting[str] = Setting(until_built=True)
    data_format: Setting[str] = Setting(until_built=True)

    _rank: int
    _operator: str

    def __init__(
        self,
        pool_size: Size,
        strides: Size | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = integers(pool_size, self._rank, "pool_size")
        self.strides = integers(
            self.pool_size if strides is None else strides, self._rank, "strides"
        )
        self.padding = check_padding(padding, "same", "valid")
        self.data_format = check_data_format(data_format)
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the pooling; cells added by the padding count for neither maximum nor mean."""
        windows = (self.pool_size, self.strides, self.padding)
        return pooled(op, self._operator, x, *windows, self.data_format)


class _MaxPooling(_Pooling):
    """Base of the maximum poolings."""

    _operator = "MaxPool"

    def __init__(
        self,
        pool_size: Size = 2,
        strides: Size | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, **kwargs)


class _AveragePooling(_Pooling):
    """Base of the mean poolings."""

    _operator = "AveragePool"


@register("layer")
class MaxPooling1D(_MaxPooling):
    """The largest of every window in time; see `MaxPooling2D`.

    Example:
        >>> MaxPooling1D()([[[1.0], [3.0]]]).tolist()
        [[[3.0]]]
    """

    _rank = 1


@register("layer")
class MaxPooling2D(_MaxPooling):
    """The largest of every window of an image, for each channel.

    Args:
        pool_size: height and width of the window, or one int for both.
        strides: steps from one window to the next; default `pool_size`.
        padding: `"valid"` (none) or `"same"` (ceil(size / strides) outputs).
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> MaxPooling2D()([[[[1.0], [2.0]], [[3.0], [4.0]]]]).tolist()
        [[[[4.0]]]]
    """

    _rank = 2


@register("layer")
class MaxPooling3D(_MaxPooling):
    """The largest of every window of a volume; see `MaxPooling2D`.

    Example:
        >>> MaxPooling3D((1, 1, 2))([[[[[1.0], [3.0]]]]]).tolist()
        [[[[[3.0]]]]]
    """

    _rank = 3


@register("layer")
class AveragePooling1D(_AveragePooling):
    """The mean of every window in time; see `AveragePooling2D`.

    Example:
        >>> AveragePooling1D(2)([[[1.0], [3.0]]]).tolist()
        [[[2.0]]]
    """

    _rank = 1


@register("layer")
class AveragePooling2D(_AveragePooling):
    """The mean of every window of an image, for each channel.

    Args:
        pool_size: height and width of the window, or one int for both.
        strides: steps from one window to the next; default `pool_size`.
        padding: `"valid"` (none) or `"same"` (ceil(size / strides) outputs; cells beyond the
            border do not count).
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> AveragePooling2D(2)([[[[1.0], [2.0]], [[3.0], [4.0]]]]).tolist()
        [[[[2.5]]]]
    """

    _rank = 2


@register("layer")
class AveragePooling3D(_AveragePooling):
    """The mean of every window of a volume; see `AveragePooling2D`.

    Example:
        >>> AveragePooling3D((1, 1, 2))([[[[[1.0], [3.0]]]]]).tolist()
        [[[[[2.0]]]]]
    """

    _rank = 3
