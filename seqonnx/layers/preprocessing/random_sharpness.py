"""RandomSharpness: sharper or smoother images at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import (
    Factor,
    Pair,
    bounded_factor,
    sorted_range,
)
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import clip


@register("layer")
class RandomSharpness(ImageLayer):
    """In training, changes the sharpness of every image; in inference does nothing.

    A smoothed image s moves the pixels to x + (1 - 2 u) (s - x), with a u of the image: 0.5 leaves
    it as it is, less smooths, more sharpens.

    Args:
        factor: limits of u: (lower, upper), or one number f for (0, f); from 0 to 1.
        value_range: the least and the greatest value of a pixel.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomSharpness(0.5)(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    factor: Setting[Pair] = Setting(bounded_factor(0, 1))
    value_range: Setting[Pair] = Setting(sorted_range)

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = factor
        self.value_range = value_range
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        share = draws.uniform((2.0 * self.factor[0], 2.0 * self.factor[1]))
        moved = op.Mul(op.Sub(1.0, share), op.Sub(_smoothed(op, images), images))
        return clip(op, op.Add(images, moved), self.value_range)


def _smoothed(op: Emitter, images: ir.Value) -> ir.Value:
    """Emit the weighted mean of each pixel (5 parts of 13) and its neighbours (1 each).

    Outside of the image lie zeros. That is 9 of 13 parts of the mean of all nine, and 4 of the
    pixel itself.
    """
    mean = op.AveragePool(images, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    return op.Add(op.Mul(mean, 9.0 / 13.0), op.Mul(images, 4.0 / 13.0))
