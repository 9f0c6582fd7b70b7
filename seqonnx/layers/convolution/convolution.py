"""The base of convolutions: a window, strides, padding, and where the channels are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.activation.activation import emit_activation
from seqonnx.layers.base import InputSpec
from seqonnx.layers.convolution.kernel import KernelLayer
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import (
    LAST,
    channel_axis,
    check_data_format,
    from_channels_first,
    spatial_axes,
    to_channels_first,
)
from seqonnx.ops.window import (
    check_padding,
    has_no_output,
    integers,
    padding_attributes,
    shown_shape,
)
from seqonnx.symbolic import Shape

Size = int | Sequence[int]


class Convolution(KernelLayer):
    """Base of the convolutions: `rank` is the number of spatial axes.

    Args:
        kernel_size: size of the window.
        strides: strides.
        padding: `"valid"`, `"same"`, or `"causal"` with one spatial axis.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: steps inside the window.
        **options: arguments of `KernelLayer`, and of `Layer`.

    Raises:
        ValueError: if an argument is not legal.
    """

    kernel_size: Setting[tuple[int, ...]] = Setting(until_built=True)
    strides: Setting[tuple[int, ...]] = Setting(until_built=True)
    dilation_rate: Setting[tuple[int, ...]] = Setting(until_built=True)
    padding: Setting[str] = Setting(until_built=True)
    data_format: Setting[str] = Setting(until_built=True)

    _rank: int

    def __init__(
        self,
        kernel_size: Size,
        strides: Size,
        padding: str,
        data_format: str | None,
        dilation_rate: Size,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.kernel_size = integers(kernel_size, self._rank, "kernel_size")
        self.strides = integers(strides, self._rank, "strides")
        self.dilation_rate = integers(dilation_rate, self._rank, "dilation_rate")
        legal = ("causal", "same", "valid") if self._rank == 1 else ("same", "valid")
        self.padding = check_padding(padding, *legal)
        self.data_format = check_data_format(data_format)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. "
                f"Received: strides={self.strides} and dilation_rate={self.dilation_rate}"
            )
        self.input_spec = InputSpec(min_ndim=self._rank + 2)

    def _input_channels(self, input_shape: Shape) -> int | None:
        """Return the number of input channels, and require it from now on."""
        InputSpec(ndim=self._rank + 2)._check(input_shape, self.name)
        axis = channel_axis(self.data_format)
        channels = input_shape[axis]
        if channels is not None:
            self.input_spec = InputSpec(min_ndim=self._rank + 2, axes={axis: channels})
        return channels

    def _convolve(
        self,
        op: Emitter,
        x: ir.Value,
        kernel: Any,
        groups: int,
        training: bool,
        pointwise: Any = None,
    ) -> ir.Value:
        """Emit the convolution, the bias and the activation.

        Args:
            op: emitter.
            x: input, in the layer's data format.
            kernel: kernel in the ONNX layout (out, in / groups, …).
            groups: number of groups.
            training: see `Layer.call`.
            pointwise: kernel of a second convolution of window 1 that mixes the channels.

        Returns:
            The output, in the layer's data format.

        Raises:
            ValueError: if the input is too small for a single window.
        """
        shape = static_shape(x)
        sizes = [shape[axis] for axis in spatial_axes(self.data_format, self._rank)]
        self._check_output(shown_shape(shape), sizes)
        if self.data_format == LAST:
            x = to_channels_first(op, x)
        bias = [] if self.bias is None else [self.bias]
        y = op.Conv(
            *(x, kernel),
            *(bias if pointwise is None else []),
            kernel_shape=list(self.kernel_size),
            strides=list(self.strides),
            dilations=list(self.dilation_rate),
            group=groups,
            **padding_attributes(
                self.padding, sizes, self.kernel_size, self.strides, self.dilation_rate
            ),
        )
        if pointwise is not None:
            y = op.Conv(y, pointwise, *bias, kernel_shape=[1] * self._rank)
        if self.data_format == LAST:
            y = from_channels_first(op, y)
        return emit_activation(op, self.activation, y, training)

    def _check_output(self, shape: Shape, sizes: Sequence[int | str | None]) -> None:
        if has_no_output(self.padding, sizes, self.kernel_size, self.dilation_rate):
            raise ValueError(
                "Computed output size would be zero or negative. Received "
                f"`inputs shape={shape}`, `kernel shape={self.kernel.shape}`, "
                f"`dilation_rate={np.asarray(self.dilation_rate)}`, `strides={self.strides}`, "
                f"`padding={self.padding}`."
            )
