"""Conv1DTranspose, Conv2DTranspose, Conv3DTranspose: the convolutions that make images larger."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.activation.activation import emit_activation
from seqonnx.layers.convolution.conv import positive
from seqonnx.layers.convolution.convolution import Convolution, Size
from seqonnx.layers.options import BasicLayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import LAST, from_channels_first, spatial_axes, to_channels_first
from seqonnx.ops.window import (
    check_padding,
    integers,
    shown_shape,
    transposed_padding,
)
from seqonnx.symbolic import Shape


class _ConvTranspose(Convolution):
    """Base of the transposed convolutions."""

    filters: Setting[int] = Setting(until_built=True)
    output_padding: Setting[tuple[int, ...] | None] = Setting(until_built=True)

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = 1,
        padding: str = "valid",
        output_padding: Size | None = None,
        data_format: str | None = None,
        dilation_rate: Size = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
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
        padding = check_padding(padding, "same", "valid")
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, **options)
        self.filters = positive("filters", filters)
        self.output_padding = self._fitting(output_padding)

    def _fitting(self, output_padding: Size | None) -> tuple[int, ...] | None:
        """The argument as one integer per axis, each less than the stride."""
        if output_padding is None:
            return None
        extra = integers(output_padding, self._rank, "output_padding", at_least=0)
        for axis, (more, stride) in enumerate(zip(extra, self.strides, strict=True)):
            if more >= stride:
                raise ValueError(
                    "`output_padding` must be strictly less than `strides` for all dimensions. "
                    f"At dimension {axis}, `output_padding` is {more} but `strides` is {stride}. "
                    f"Received: output_padding={extra}, strides={self.strides}"
                )
        return extra

    def build(self, input_shape: Shape) -> None:
        """Declare kernel and bias."""
        channels = self._input_channels(input_shape)
        layout = (self._rank + 1, self._rank, *range(self._rank))
        shape = (*self.kernel_size, self.filters, channels)
        self._add_kernel_and_bias(shape, self.filters, layout)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit the transposed convolution."""
        pads, extra = transposed_padding(
            *(self.padding, self.kernel_size, self.strides, self.dilation_rate),
            self.output_padding,
        )
        self._check_enlarged(shown_shape(static_shape(x)), pads, extra)
        last = self.data_format == LAST
        y = op.ConvTranspose(
            to_channels_first(op, x) if last else x,
            self.kernel,
            *([] if self.bias is None else [self.bias]),
            kernel_shape=list(self.kernel_size),
            strides=list(self.strides),
            dilations=list(self.dilation_rate),
            pads=pads,
            output_padding=extra,
        )
        return emit_activation(
            op, self.activation, from_channels_first(op, y) if last else y, training
        )

    def _check_enlarged(self, shape: Shape, pads: list[int], extra: list[int]) -> None:
        for axis, place in enumerate(spatial_axes(self.data_format, self._rank)):
            window = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1
            added = window + extra[axis] - pads[axis] - pads[axis + self._rank]
            size = shape[place]
            if size is not None and (size - 1) * self.strides[axis] + added <= 0:
                raise ValueError(
                    f"Layer '{self.name}' would have no output on axis {place}: a larger "
                    "`output_padding` gives it one. Received: "
                    f"input shape={shape}, kernel_size={self.kernel_size}, "
                    f"strides={self.strides}, padding={self.padding}, "
                    f"output_padding={self.output_padding}"
                )


@register("layer")
class Conv1DTranspose(_ConvTranspose):
    """Transposed convolution over time; see `Conv2DTranspose`.

    Example:
        >>> Conv1DTranspose(1, 2, 2, kernel_initializer="ones")([[[1.0], [2.0]]]).tolist()
        [[[1.0], [1.0], [2.0], [2.0]]]
    """

    _rank = 1


@register("layer")
class Conv2DTranspose(_ConvTranspose):
    """Transposed convolution over images: every cell adds a window of its own to the output.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, or one int for both.
        strides: steps in the output from one window to the next.
        padding: `"valid"` ((size - 1) * strides + window, at least size * strides outputs) or
            `"same"` (size * strides outputs).
        output_padding: rows and columns more at the end, in place of those that `padding` adds by
            itself; less than `strides`. With `"same"` there are (size - 1) * strides +
            output_padding outputs, and one more where the window is odd.
        data_format: `"channels_last"` (default): (batch, height, width, channels); or
            `"channels_first"`.
        dilation_rate: distance of two cells inside the window; not together with strides.
        activation: name such as `"relu"`, a function `(op, x)`, or a layer without weights.
        use_bias: whether a bias is added.
        kernel_initializer: first kernel, of shape (height, width, filters, channels).
        bias_initializer: first bias, of shape (filters,).
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output.
        kernel_constraint: limits of the kernel.
        bias_constraint: limits of the bias.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> Conv2DTranspose(4, 3, 2, "same")(np.zeros((1, 8, 8, 2))).shape
        (1, 16, 16, 4)
    """

    _rank = 2


@register("layer")
class Conv3DTranspose(_ConvTranspose):
    """Transposed convolution over volumes; see `Conv2DTranspose`.

    Given by place, `data_format` comes before `output_padding` here, as in Keras.

    Example:
        >>> Conv3DTranspose(4, 2, 2)(np.zeros((1, 3, 3, 3, 1))).shape
        (1, 6, 6, 6, 4)
    """

    _rank = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Size,
        strides: Size = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Size | None = None,
        dilation_rate: Size = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Unpack[BasicLayerOptions],
    ) -> None:
        super().__init__(
            *(filters, kernel_size, strides, padding, output_padding, data_format),
            *(dilation_rate, activation, use_bias, kernel_initializer, bias_initializer),
            *(kernel_regularizer, bias_regularizer, activity_regularizer),
            *(kernel_constraint, bias_constraint),
            **kwargs,
        )
