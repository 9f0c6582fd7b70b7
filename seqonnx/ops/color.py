"""Colour: grey, and hue, saturation and value, of images with channels first."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name, ir_dtype, static_shape

CHANNELS: Final = 1
_GREY: Final = (0.2989, 0.587, 0.114)
"""Shares of red, green and blue in the luma of Rec. 601, as Keras rounds them."""


def grayscale(op: Emitter, images: ir.Value) -> ir.Value:
    """Emit the luma of images.

    Args:
        op: emitter.
        images: (batch, 3 or 1, height, width).

    Returns:
        (batch, 1, height, width).

    Raises:
        ValueError: if there are neither three channels nor one.
    """
    count = static_shape(images)[CHANNELS]
    if count == 1:
        return images
    if count != 3:
        raise ValueError(
            "Invalid channel size: expected 3 (RGB) or 1 (Grayscale). Received input with shape: "
            f"images.shape={static_shape(images)} (channels first) in layer '{op.scope_name}'"
        )
    shares = np.array(_GREY, ir_dtype(dtype_name(images)).numpy()).reshape(1, 3, 1, 1)
    return op.ReduceSum(op.Mul(images, shares), [CHANNELS], keepdims=1)


def split_channels(op: Emitter, images: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Emit the three channels of images, each (batch, 1, height, width).

    Raises:
        ValueError: if there are not three.
    """
    if static_shape(images)[CHANNELS] != 3:
        raise ValueError(
            "Invalid channel size: expected 3 (RGB). Received input with shape: "
            f"images.shape={static_shape(images)} (channels first) in layer '{op.scope_name}'"
        )
    first, second, third = op.Split(images, num_outputs=3, axis=CHANNELS, _outputs=3)
    return first, second, third


def to_hsv(op: Emitter, images: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Emit hue (0 to 1), saturation (0 to 1) and value (as large as the pixels) of RGB images.

    The hexcone of Smith ("Color gamut transform pairs", 1978).
    """
    red, green, blue = split_channels(op, images)
    value = op.ReduceMax(images, [CHANNELS], keepdims=1)
    spread = op.Sub(value, op.ReduceMin(images, [CHANNELS], keepdims=1))
    bright, colourful = op.Greater(value, 0.0), op.Greater(spread, 0.0)
    saturation = op.Where(bright, op.Div(spread, op.Where(bright, value, 1.0)), 0.0)
    sixth = op.Div(1.0 / 6.0, op.Where(colourful, spread, 1.0))
    from_blue = op.Add(op.Mul(sixth, op.Sub(red, green)), 4.0 / 6.0)
    from_green = op.Add(op.Mul(sixth, op.Sub(blue, red)), 2.0 / 6.0)
    hue = op.Where(op.Equal(value, green), from_green, from_blue)
    hue = op.Where(op.Equal(value, red), op.Mul(sixth, op.Sub(green, blue)), hue)
    hue = op.Where(colourful, hue, 0.0)
    return op.Where(op.Less(hue, 0.0), op.Add(hue, 1.0), hue), saturation, value


def from_hsv(op: Emitter, hue: ir.Value, saturation: ir.Value, value: ir.Value) -> ir.Value:
    """Emit the RGB images with a hue, saturation and value; the inverse of `to_hsv`."""
    sixths = op.Mul(op.Sub(hue, op.Floor(hue)), 6.0)
    shares = (
        op.Sub(op.Abs(op.Sub(sixths, 3.0)), 1.0),
        op.Sub(2.0, op.Abs(op.Sub(sixths, 2.0))),
        op.Sub(2.0, op.Abs(op.Sub(sixths, 4.0))),
    )
    grey = op.Sub(1.0, saturation)
    channels = [_mixed(op, share, grey, saturation, value) for share in shares]
    return op.Concat(*channels, axis=CHANNELS)


def _mixed(op: Emitter, share: Any, grey: ir.Value, saturation: ir.Value, value: ir.Value) -> Any:
    """One channel: value (grey + saturation share), the share kept between 0 and 1."""
    return op.Mul(value, op.Add(grey, op.Mul(saturation, op.Clip(share, 0.0, 1.0))))


def clip(op: Emitter, images: ir.Value, limits: tuple[float, float]) -> ir.Value:
    """Emit images with their pixels kept within a range."""
    return op.Clip(images, float(limits[0]), float(limits[1]))


def rescale(
    op: Emitter, images: ir.Value, old: tuple[float, float], new: tuple[float, float]
) -> ir.Value:
    """Emit images whose pixels have moved from one range to another."""
    if tuple(old) == tuple(new):
        return images
    scale = (new[1] - new[0]) / (old[1] - old[0])
    offset = new[0] - old[0] * scale
    scaled = op.Mul(images, scale)
    return scaled if offset == 0.0 else op.Add(scaled, offset)
