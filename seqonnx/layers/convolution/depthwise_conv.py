"""DepthwiseConv1D, DepthwiseConv2D: every channel is convolved alone."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.convolution.convolution import Convolution, Size
from seqonnx.layers.options import BasicLayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape

_RENAMED = {
    "kernel_initializer": "depthwise_initializer",
    "kernel_regularizer": "depthwise_regularizer",
    "kernel_constraint": "depthwise_constraint",
}


class _DepthwiseConv(Convolution):
    """Base of the depthwise convolutions."""

    depth_multiplier: Setting[int] = Setting(until_built=True)

    def __init__(
        self,
        kernel_size: Size,
        strides: Size = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Size = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[BasicLayerOptions],
    ) -> None:
        options = {
            "activation": activation,
            "use_bias": use_bias,
            "kernel_initializer": depthwise_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": depthwise_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": depthwise_constraint,
            "bias_constraint": bias_constraint,
            **kwargs,
        }
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, **options)
        if not isinstance(depth_multiplier, int | np.integer) or depth_multiplier <= 0:
            raise ValueError(
                "Invalid value for argument `depth_multiplier`. Expected a strictly positive "
                f"value. Received depth_multiplier={depth_multiplier}."
            )
        self.depth_multiplier = int(depth_multiplier)

    def build(self, input_shape: Shape) -> None:
        """Declare kernel and bias."""
        channels = self._input_channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        layout = (self._rank, self._rank + 1, *range(self._rank))
        self._add_kernel_and_bias(shape, (channels or 0) * self.depth_multiplier, layout)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a convolution with one group for each channel."""
        channels = self.kernel.shape[-2]
        kernel: Any = self.kernel
        if self.depth_multiplier > 1:
            kernel = op.Reshape(op.read(self.kernel), [-1, 1, *self.kernel_size])
        return self._convolve(op, x, kernel, channels, training)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {_RENAMED.get(key, key): value for key, value in super().get_config().items()}


@register("layer")
class DepthwiseConv1D(_DepthwiseConv):
    """Convolution over time of every channel alone; see `DepthwiseConv2D`.

    Example:
        >>> DepthwiseConv1D(2, depthwise_initializer="ones")([[[1.0], [2.0]]]).tolist()
        [[[3.0]]]
    """

    _rank = 1


@register("layer")
class DepthwiseConv2D(_DepthwiseConv):
    """Convolution over images of every channel alone.

    Args:
        kernel_size: height and width of the window, or one int for both.
        strides: steps from one window to the next.
        padding: `"valid"` (none) or `"same"` (ceil(size / strides) outputs).
        depth_multiplier: number of outputs for each channel.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: distance of two cells inside the window; not together with strides.
        activation: name such as `"relu"`, a function `(op, x)`, or a layer without weights.
        use_bias: whether a bias is added.
        depthwise_initializer: first kernel, of shape (height, width, channels, multiplier).
        bias_initializer: first bias.
        depthwise_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        depthwise_constraint: limits of the kernel.
        bias_constraint: limits of the bias.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> DepthwiseConv2D(3, padding="same")(np.zeros((1, 8, 8, 4))).shape
        (1, 8, 8, 4)
    """

    _rank = 2
