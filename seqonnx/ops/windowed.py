"""Convolutions and poolings: sums of products, maxima and means over windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, static_shape
from seqonnx.ops.channels import (
    LAST,
    check_data_format,
    from_channels_first,
    spatial_axes,
    to_channels_first,
)
from seqonnx.ops.promotion import floating, floats
from seqonnx.ops.sizes import rank_of, reshaped, sizes_of
from seqonnx.ops.window import (
    check_padding,
    has_no_output,
    integers,
    padding_attributes,
    shown_shape,
    transposed_padding,
)
from seqonnx.tensor_function import tensor_function


@tensor_function()
def conv(
    op: Emitter,
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> ir.Value:
    """Return the convolution of images, of time or of volumes with a kernel.

    Args:
        inputs: `(batch, *space, channels)`.
        kernel: `(*window, channels of a group, outputs)`; fewer channels than the inputs have
            mean groups.
        strides: steps from one window to the next.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        dilation_rate: distance of two cells inside the window.

    Raises:
        ValueError: if an argument is not legal, or the input is too small.

    Example:
        >>> conv(np.ones((1, 3, 1)), np.ones((2, 1, 1))).tolist()
        [[[2.0], [2.0]]]
    """
    x, kernel = floats(op, inputs, kernel)
    data_format = check_data_format(data_format)
    rank = rank_of(x) - 2
    x = to_channels_first(op, x) if data_format == LAST else x
    turned = op.Transpose(kernel, perm=[rank + 1, rank, *range(rank)])
    channels, mine = static_shape(x)[1], static_shape(turned)[1]
    groups = channels // mine if isinstance(channels, int) and isinstance(mine, int) else 1
    if isinstance(channels, int) and isinstance(mine, int) and channels % mine != 0:
        raise ValueError(
            f"The number of input channels must be evenly divisible by kernel's in_channels. "
            f"Received input channels {channels} and kernel in_channels {mine}."
        )
    y = _convolved(op, x, turned, strides, padding, dilation_rate, groups)
    return from_channels_first(op, y) if data_format == LAST else y


@tensor_function()
def depthwise_conv(
    op: Emitter,
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> ir.Value:
    """Return the convolution of each channel alone.

    Args:
        inputs: see `conv`.
        kernel: `(*window, channels, outputs of each)`.
        strides: see `conv`.
        padding: see `conv`.
        data_format: see `conv`.
        dilation_rate: see `conv`.
    """
    x, kernel = floats(op, inputs, kernel)
    sizes = sizes_of(kernel)
    wide = reshaped(op, kernel, [*sizes[:-2], 1, _flat(sizes[-2:])])
    return conv(op, x, wide, strides, padding, data_format, dilation_rate)


@tensor_function()
def separable_conv(
    op: Emitter,
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> ir.Value:
    """Return the convolution of each channel alone, and then one over channels with window 1.

    Args:
        inputs: see `conv`.
        depthwise_kernel: `(*window, channels, outputs of each)`.
        pointwise_kernel: `(*1, channels times outputs of each, outputs)`.
        strides: see `conv`.
        padding: see `conv`.
        data_format: see `conv`.
        dilation_rate: see `conv`.
    """
    alone = depthwise_conv(
        op, inputs, depthwise_kernel, strides, padding, data_format, dilation_rate
    )
    return conv(op, alone, pointwise_kernel, 1, "valid", data_format)


@tensor_function()
def conv_transpose(
    op: Emitter,
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> ir.Value:
    """Return the transposed convolution: images become larger by the strides.

    Args:
        inputs: see `conv`.
        kernel: `(*window, outputs, channels)`.
        strides: see `conv`.
        padding: `"valid"` or `"same"`.
        output_padding: cells more at the end; default: what `padding` implies.
        data_format: see `conv`.
        dilation_rate: see `conv`.
    """
    x, kernel = floats(op, inputs, kernel)
    data_format = check_data_format(data_format)
    rank = rank_of(x) - 2
    window = _window(kernel)
    steps = integers(strides, rank, "strides")
    apart = integers(dilation_rate, rank, "dilation_rate")
    more = None
    if output_padding is not None:
        more = integers(output_padding, rank, "output_padding", at_least=0)
    padding = check_padding(padding, "same", "valid")
    pads, extra = transposed_padding(padding, window, steps, apart, more)
    y = op.ConvTranspose(
        to_channels_first(op, x) if data_format == LAST else x,
        op.Transpose(kernel, perm=[rank + 1, rank, *range(rank)]),
        kernel_shape=window,
        strides=list(steps),
        dilations=list(apart),
        pads=pads,
        output_padding=extra,
    )
    return from_channels_first(op, y) if data_format == LAST else y


@tensor_function()
def max_pool(
    op: Emitter,
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> ir.Value:
    """Return the largest of every window.

    Args:
        inputs: `(batch, *space, channels)`.
        pool_size: size of the window.
        strides: steps from one window to the next; default `pool_size`.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` (default) or `"channels_first"`.
    """
    return _pooled(op, "MaxPool", inputs, pool_size, strides, padding, data_format)


@tensor_function()
def average_pool(
    op: Emitter,
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> ir.Value:
    """Return the mean of every window; arguments as those of `max_pool`."""
    return _pooled(op, "AveragePool", inputs, pool_size, strides, padding, data_format)


def _convolved(
    op: Emitter,
    x: ir.Value,
    kernel: ir.Value,
    strides: Any,
    padding: str,
    dilation_rate: Any,
    groups: int,
) -> ir.Value:
    """The convolution in ONNX's layout."""
    rank = rank_of(x) - 2
    steps = integers(strides, rank, "strides")
    apart = integers(dilation_rate, rank, "dilation_rate")
    padding = check_padding(padding, "same", "valid")
    window = [d for d in static_shape(kernel)[2:] if isinstance(d, int)]
    sizes = static_shape(x)[2:]
    if has_no_output(padding, sizes, window, apart):
        raise ValueError(
            "Computed output size would be zero or negative. Received: "
            f"`inputs.shape={shown_shape(static_shape(x))}`, channels first, and a kernel of "
            f"{window} cells."
        )
    return op.Conv(
        x,
        kernel,
        kernel_shape=window,
        strides=list(steps),
        dilations=list(apart),
        group=groups,
        **padding_attributes(padding, sizes, window, steps, apart),
    )


def _pooled(
    op: Emitter,
    operator: str,
    inputs: Any,
    pool_size: Any,
    strides: Any,
    padding: str,
    data_format: str | None,
) -> ir.Value:
    x = floating(op, inputs)
    rank = rank_of(x) - 2
    window = integers(pool_size, rank, "pool_size")
    steps = window if strides is None else integers(strides, rank, "strides")
    padding = check_padding(padding, "same", "valid")
    return pooled(op, operator, x, window, steps, padding, check_data_format(data_format))


def pooled(
    op: Emitter,
    operator: str,
    x: ir.Value,
    window: Sequence[int],
    steps: Sequence[int],
    padding: str,
    data_format: str,
) -> ir.Value:
    """Emit a pooling; cells added by the padding count for neither maximum nor mean.

    Args:
        op: emitter of the graph.
        operator: `"MaxPool"` or `"AveragePool"`.
        x: images, time series or volumes.
        window: size of the window.
        steps: steps from one window to the next.
        padding: `"valid"` or `"same"`.
        data_format: where the channels are.

    Raises:
        ValueError: if the input is too small for a single window.
    """
    rank = rank_of(x) - 2
    sizes = [static_shape(x)[axis] for axis in spatial_axes(data_format, rank)]
    dense = (1,) * rank
    if has_no_output(padding, sizes, window, dense):
        raise ValueError(
            "Computed output size would be zero or negative. Received: "
            f"`inputs.shape={shown_shape(static_shape(x))}` and `pool_size={window}`."
        )
    x = to_channels_first(op, x) if data_format == LAST else x
    attributes = {
        "kernel_shape": list(window),
        "strides": list(steps),
        **padding_attributes(padding, sizes, window, steps, dense),
    }
    y: ir.Value = op.emit(operator, [x], attributes)
    return from_channels_first(op, y) if data_format == LAST else y


def _window(kernel: ir.Value) -> list[int]:
    """The window of a kernel in Keras's layout.

    Raises:
        ValueError: if it is not known.
    """
    window = [d for d in static_shape(kernel)[:-2] if isinstance(d, int)]
    if len(window) < rank_of(kernel) - 2:
        raise ValueError(
            f"The window of a kernel must be known. Received: shape {static_shape(kernel)}"
        )
    return window


def _flat(sizes: Any) -> int:
    """The product of sizes that are known; -1, the rest, where one is not."""
    known = [plain_value(size) for size in sizes]
    return int(np.prod(known)) if all(isinstance(size, int) for size in known) else -1
