"""RandomInvert: negatives at random."""

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
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting


@register("layer")
class RandomInvert(ImageLayer):
    """In training, turns images into their negatives; in inference does nothing.

    Args:
        factor: limits of the probability that an image is changed: (lower, upper), or one number f
            for (0, f); from 0 to 1.
        value_range: the least and the greatest value of a pixel.
        seed: seed of what the layer draws; default: that of the training run.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomInvert((1.0, 1.0))([[[[5.0]]]], training=True).tolist()
        [[[[250.0]]]]
    """

    factor: Setting[Pair] = Setting(bounded_factor(0, 1))
    value_range: Setting[Pair] = Setting(value_range)

    def __init__(
        self,
        factor: Factor = 1.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = factor
        self.value_range = value_range
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        inverted = op.Sub(float(self.value_range[1]), images)
        return op.Where(draws.chance(self.factor), inverted, images)
