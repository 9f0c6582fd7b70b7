"""RandomHue: other hues at random."""

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
from seqonnx.ops.color import clip, from_hsv, rescale, to_hsv


@register("layer")
class RandomHue(ImageLayer):
    """In training, turns the hue of every image; in inference does nothing.

    Args:
        factor: limits of the turn in half turns of the colour wheel: (lower, upper), or one number
            f for (0, f); from 0 to 1. Half of the images turn the other way.
        value_range: the least and the greatest value of a pixel.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomHue(0.5)(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    factor: Setting[Pair] = Setting(bounded_factor(0, 1))
    value_range: Setting[Pair] = Setting(value_range)

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
        back = op.Greater(draws.uniform(), 0.5)
        turn = draws.uniform((self.factor[0] * 0.5, self.factor[1] * 0.5))
        hue, saturation, value = to_hsv(op, rescale(op, images, self.value_range, (0, 1)))
        hue = op.Add(hue, op.Where(back, op.Neg(turn), turn))
        changed = clip(op, from_hsv(op, hue, saturation, value), (0, 1))
        return rescale(op, changed, (0, 1), self.value_range)
