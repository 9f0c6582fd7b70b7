"""Gaussian blur: images, each smoothed by a width of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name, ir_dtype
from seqonnx.ops.pixels import known_size


def blur(
    op: Emitter,
    images: ir.Value,
    sigma: tuple[ir.Value, ir.Value],
    radius: tuple[ir.Value | int, ir.Value | int],
) -> ir.Value:
    """Emit images after a product with a matrix of weights on both sides.

    The weights of a pixel are exp(-d^2 / 2 sigma^2) of the distance d, up to a radius, and sum to
    1; outside of the image lie zeros. As matrices they may differ between the images of a batch.

    Args:
        op: emitter.
        images: (batch, channels, height, width), of known size.
        sigma: widths along the height and the width, each (batch, 1, 1, 1).
        radius: how many pixels have a weight on both sides, along the height and the width; a
            number, or one for each image.

    Returns:
        Images of the same shape.
    """
    size = known_size(op, images, "A Gaussian blur")
    rows, columns = (
        _weights(op, length, *how, dtype_name(images))
        for length, how in zip(size, zip(sigma, radius, strict=True), strict=True)
    )
    return op.MatMul(op.MatMul(rows, images), columns)


def _weights(
    op: Emitter, size: int, sigma: ir.Value, radius: ir.Value | int, dtype: str
) -> ir.Value:
    """The matrix of weights of an axis, (batch, 1, size, size); it is symmetric."""
    number = ir_dtype(dtype).numpy()
    apart = np.abs(np.arange(size)[:, None] - np.arange(size))
    # The pixels around one far from the edge, whose weights sum to 1.
    around = np.arange(size) if not isinstance(radius, int) else np.arange(radius + 1)
    twice = np.where(around > 0, 2.0, 1.0)
    total = op.ReduceSum(
        op.Mul(_bell(op, around[None].astype(number), sigma, radius), twice.astype(number)),
        [-1],
        keepdims=1,
    )
    return op.Div(_bell(op, apart.astype(number), sigma, radius), total)


def _bell(
    op: Emitter, distance: npt.NDArray[Any], sigma: ir.Value, radius: ir.Value | int
) -> ir.Value:
    """The weight of each distance, 0 beyond the radius."""
    ratio = op.Div(op.constant(distance, "distance"), sigma)
    bell = op.Exp(op.Mul(op.Mul(ratio, ratio), -0.5))
    if isinstance(radius, int):
        return op.Mul(bell, (distance <= radius).astype(distance.dtype))
    return op.Where(op.LessOrEqual(op.constant(distance, "distance"), radius), bell, 0.0)
