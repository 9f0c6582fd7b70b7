"""SeparableConv1D, SeparableConv2D: every channel convolved alone, then the channels mixed."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx import constraints, initializers, regularizers
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable
from seqonnx.layers.convolution.convolution import Convolution, Size
from seqonnx.layers.options import BasicLayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape

_RENAMED = {
    "kernel_initializer": "pointwise_initializer",
    "kernel_regularizer": "pointwise_regularizer",
    "kernel_constraint": "pointwise_constraint",
}


class _SeparableConv(Convolution):
    """Base of the separable convolutions; `kernel` is the pointwise kernel."""

    filters: Setting[int] = Setting(until_built=True)
    depth_multiplier: Setting[int] = Setting(until_built=True)

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Size = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[BasicLayerOptions],
    ) -> None:
        options = {
            "activation": activation,
            "use_bias": use_bias,
            "kernel_initializer": pointwise_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": pointwise_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": pointwise_constraint,
            "bias_constraint": bias_constraint,
            **kwargs,
        }
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, **options)
        self.filters = _positive("filters", filters)
        self.depth_multiplier = _positive("depth_multiplier", depth_multiplier)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self._depthwise: Variable | None = None

    @property
    def depthwise_kernel(self) -> Variable:
        """The kernel of the channels, of shape (*window, channels, multiplier).

        Raises:
            AttributeError: before the layer is built.
        """
        if self._depthwise is None:
            raise AttributeError("You must build the layer before accessing `depthwise_kernel`.")
        return self._depthwise

    @property
    def pointwise_kernel(self) -> Variable:
        """The kernel that mixes the channels, of shape (*ones, channels · multiplier, filters)."""
        return self.kernel

    def build(self, input_shape: Shape) -> None:
        """Declare both kernels and the bias."""
        channels = self._input_channels(input_shape)
        window = tuple(range(self._rank))
        self._depthwise = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            name="depthwise_kernel",
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
            layout=(self._rank, self._rank + 1, *window),
        )
        self._add_kernel_and_bias(
            (*[1] * self._rank, (channels or 0) * self.depth_multiplier, self.filters),
            self.filters,
            (self._rank + 1, self._rank, *window),
            name="pointwise_kernel",
        )

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a convolution with one group for each channel, then one of window 1."""
        depthwise: Any = self.depthwise_kernel
        channels = depthwise.shape[-2]
        if self.depth_multiplier > 1:
            depthwise = op.Reshape(op.read(depthwise), [-1, 1, *self.kernel_size])
        return self._convolve(op, x, depthwise, channels, training, pointwise=self.kernel)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {_RENAMED.get(key, key): value for key, value in super().get_config().items()}


@register("layer")
class SeparableConv1D(_SeparableConv):
    """Separable convolution over time; see `SeparableConv2D`.

    Example:
        >>> ones = {"depthwise_initializer": "ones", "pointwise_initializer": "ones"}
        >>> SeparableConv1D(1, 2, **ones)([[[1.0], [2.0]]]).tolist()
        [[[3.0]]]
    """

    _rank = 1


@register("layer")
class SeparableConv2D(_SeparableConv):
    """Convolution over images of every channel alone, then a mix of the channels at every place
    (Chollet, 2017).

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, or one int for both.
        strides: steps from one window to the next.
        padding: `"valid"` (none) or `"same"` (ceil(size / strides) outputs).
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: distance of two cells inside the window; not together with strides.
        depth_multiplier: number of channels that the first step makes of each channel.
        activation: name such as `"relu"`, a function `(op, x)`, or a layer without weights.
        use_bias: whether a bias is added.
        depthwise_initializer: first kernel of the channels, (height, width, channels, multiplier).
        pointwise_initializer: first kernel of the mix, (1, 1, channels · multiplier, filters).
        bias_initializer: first bias, of shape (filters,).
        depthwise_regularizer: penalty on the kernel of the channels.
        pointwise_regularizer: penalty on the kernel of the mix.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        depthwise_constraint: limits of the kernel of the channels.
        pointwise_constraint: limits of the kernel of the mix.
        bias_constraint: limits of the bias.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> SeparableConv2D(32, 3, padding="same")(np.zeros((1, 8, 8, 4))).shape
        (1, 8, 8, 32)
    """

    _rank = 2


def _positive(name: str, value: Any) -> int:
    if not isinstance(value, int | np.integer) or value <= 0:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected a strictly positive value. "
            f"Received {name}={value}."
        )
    return int(value)
