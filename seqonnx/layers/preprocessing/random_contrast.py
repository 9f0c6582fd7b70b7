"""RandomContrast: more or less contrast at random."""

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
    value_range,
)
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import ImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import clip
from seqonnx.ops.pixels import HEIGHT, WIDTH


@register("layer")
class RandomContrast(ImageLayer):
    """In training, changes the contrast of every image; in inference does nothing.

    Pixels become (x - mean) c + mean, with the mean of their channel and a c of the image.

    Args:
        factor: limits of c: (lower, upper) stands for 1 - lower to 1 + upper, one number f for 1 to
            1 + f; from 0 to 1.
        value_range: the least and the greatest value of a pixel.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomContrast(0.5)(np.ones((2, 8, 8, 3)), training=True).max() == 1.0
        np.True_
    """

    factor: Setting[Pair] = Setting(bounded_factor(0, 1))
    value_range: Setting[Pair] = Setting(value_range)

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[ImageOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.factor = factor
        self.value_range = value_range
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        contrast = draws.uniform((1.0 - self.factor[0], 1.0 + self.factor[1]))
        mean = op.ReduceMean(images, [HEIGHT, WIDTH], keepdims=1)
        changed = op.Add(op.Mul(op.Sub(images, mean), contrast), mean)
        return clip(op, changed, self.value_range)
