"""RandomColorDegeneration: less colour at random."""

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
from seqonnx.ops.color import clip, grayscale


@register("layer")
class RandomColorDegeneration(ImageLayer):
    """In training, moves every image towards its grey one; in inference does nothing.

    Args:
        factor: limits of the way, 1 being grey: (lower, upper), or one number f for (-f, f); from
            -1 to 1.
        value_range: the least and the greatest value of a pixel.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomColorDegeneration((1.0, 1.0))([[[[0.0, 100.0, 0.0]]]]).round().tolist()
        [[[[59.0, 59.0, 59.0]]]]
    """

    factor: Setting[Pair] = Setting(bounded_factor(-1, 1))
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
        way = op.Mul(draws.uniform(self.factor), op.Sub(grayscale(op, images), images))
        return clip(op, op.Add(images, way), self.value_range)
