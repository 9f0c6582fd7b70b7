"""Conv1D, Conv2D, Conv3D."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.convolution.convolution import Convolution, Size
from seqonnx.layers.lora import Adaptable
from seqonnx.layers.options import BasicLayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape


class _Conv(Convolution, Adaptable):
    """Base of the convolutions that mix all channels of a group."""

    filters: Setting[int] = Setting(until_built=True)
    groups: Setting[int] = Setting(until_built=True)

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Size = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Unpack[BasicLayerOptions],
    ) -> None:
        options = {
            "activation": activation,
            "use_bias": use_bias,
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
            **kwargs,
        }
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, **options)
        self.filters = positive("filters", filters)
        self.groups = positive("groups", groups)
        self._ask_for_adapter(lora_rank, lora_alpha)
        if self.filters % self.groups != 0:
            raise ValueError(
                "The number of filters must be evenly divisible by the number of groups. "
                f"Received: groups={groups}, filters={filters}."
            )

    def build(self, input_shape: Shape) -> None:
        """Declare kernel and bias."""
        channels = self._input_channels(input_shape)
        if channels is not None and channels % self.groups != 0:
            raise ValueError(
                "The number of input channels must be evenly divisible by the number of groups. "
                f"Received groups={self.groups}, but the input has {channels} channels "
                f"(full input shape is {input_shape})."
            )
        inputs = None if channels is None else channels // self.groups
        layout = (self._rank + 1, self._rank, *range(self._rank))
        self._add_kernel_and_bias((*self.kernel_size, inputs, self.filters), self.filters, layout)
        self._adapt_from_the_start()

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the convolution."""
        return self._convolve(op, x, self.kernel, self.groups, training)


@register("layer")
class Conv1D(_Conv):
    """Convolution over time.

    Args:
        filters: number of outputs at each step.
        kernel_size: length of the window.
        strides: steps from one window to the next.
        padding: `"valid"` (none), `"same"` (ceil(steps / strides) outputs) or `"causal"` (zeros
            before the beginning, so that no output sees the future).
        data_format: `"channels_last"` (default): (batch, steps, channels); or `"channels_first"`.
        dilation_rate: distance of two steps inside the window.
        groups: number of groups of channels that are convolved separately.
        activation: name such as `"relu"`, a function `(op, x)`, or a layer without weights.
        use_bias: whether a bias is added.
        kernel_initializer: first kernel, of shape (window, channels / groups, filters).
        bias_initializer: first bias, of shape (filters,).
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: limits of the kernel.
        bias_constraint: limits of the bias.
        lora_rank: rank of an adapter that trains in the place of the kernel; see `enable_lora`.
        lora_alpha: the adapter is multiplied by `lora_alpha / lora_rank`; default `lora_rank`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> Conv1D(1, 2, kernel_initializer="ones")([[[1.0], [2.0], [3.0]]]).tolist()
        [[[3.0], [5.0]]]
    """

    _rank = 1


@register("layer")
class Conv2D(_Conv):
    """Convolution over images.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, or one int for both.
        strides: steps from one window to the next.
        padding: `"valid"` (none) or `"same"` (ceil(size / strides) outputs).
        data_format: `"channels_last"` (default): (batch, height, width, channels); or
            `"channels_first"`.
        dilation_rate: distance of two cells inside the window; not together with strides.
        groups: number of groups of channels that are convolved separately.
        activation: name such as `"relu"`, a function `(op, x)`, or a layer without weights.
        use_bias: whether a bias is added.
        kernel_initializer: first kernel, of shape (height, width, channels / groups, filters).
        bias_initializer: first bias, of shape (filters,).
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: limits of the kernel.
        bias_constraint: limits of the bias.
        lora_rank: rank of an adapter that trains in the place of the kernel; see `enable_lora`.
        lora_alpha: the adapter is multiplied by `lora_alpha / lora_rank`; default `lora_rank`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> Conv2D(32, 3, activation="relu")(np.zeros((1, 28, 28, 1))).shape
        (1, 26, 26, 32)
    """

    _rank = 2


@register("layer")
class Conv3D(_Conv):
    """Convolution over volumes; the arguments are those of `Conv2D` with one axis more.

    Example:
        >>> Conv3D(4, 3)(np.zeros((1, 5, 5, 5, 2))).shape
        (1, 3, 3, 3, 4)
    """

    _rank = 3


def positive(name: str, value: Any) -> int:
    """Return a number such as `filters` as an int.

    Raises:
        ValueError: if it is not a positive integer.

    Example:
        >>> positive("filters", 3)
        3
    """
    if not isinstance(value, int | np.integer) or value <= 0:
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected a strictly positive value. "
            f"Received {name}={value}."
        )
    return int(value)
