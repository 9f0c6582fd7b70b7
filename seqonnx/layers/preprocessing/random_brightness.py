"""RandomBrightness: lighter or darker images at random."""

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
from seqonnx.layers.preprocessing.image_options import ImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import clip


@register("layer")
class RandomBrightness(ImageLayer):
    """In training, makes every image lighter or darker; in inference does nothing.

    Args:
        factor: limits of what is added, in units of the range of the pixels: (lower, upper), or one
            number f for (-f, f); from -1 to 1.
        value_range: the least and the greatest value of a pixel.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomBrightness(0.5)(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    factor: Setting[Pair] = Setting(bounded_factor(-1, 1))
    value_range: Setting[Pair] = Setting(sorted_range)

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
        width = self.value_range[1] - self.value_range[0]
        added = draws.uniform((self.factor[0] * width, self.factor[1] * width))
        return clip(op, op.Add(images, added), self.value_range)
