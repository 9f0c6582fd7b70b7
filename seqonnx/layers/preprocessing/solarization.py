"""Solarization: light pixels turned dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import SOLARIZE, Factor, Pair, sorted_range
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import ImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import clip, rescale


def _limits(factor: Any, name: str) -> Pair:
    """A factor as (lower, upper)."""
    return SOLARIZE.pair(factor, name, opposite=0.0)


@register("layer")
class Solarization(ImageLayer):
    """In training, makes every image lighter and inverts what is then light; in inference does
    nothing.

    Args:
        addition_factor: limits of what is added, for pixels from 0 to 255: (lower, upper) stands
            for lower to 255 upper, one number f for 0 to 255 f; from 0 to 1.
        threshold_factor: the same for the value from which pixels are inverted.
        value_range: the least and the greatest value of a pixel.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> Solarization(0.5, 0.5)(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    addition_factor: Setting[Pair] = Setting(lambda given: _limits(given, "addition_factor"))
    threshold_factor: Setting[Pair] = Setting(lambda given: _limits(given, "threshold_factor"))
    value_range: Setting[Pair] = Setting(sorted_range)

    def __init__(
        self,
        addition_factor: Factor = 0.0,
        threshold_factor: Factor = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Unpack[ImageOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.addition_factor = addition_factor
        self.threshold_factor = threshold_factor
        self.value_range = value_range
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        added = draws.uniform((self.addition_factor[0], self.addition_factor[1] * 255))
        threshold = draws.uniform((self.threshold_factor[0], self.threshold_factor[1] * 255))
        lighter = op.Add(rescale(op, images, self.value_range, (0, 255)), added)
        lighter = clip(op, lighter, (0, 255))
        solarized = op.Where(op.Less(lighter, threshold), lighter, op.Sub(255.0, lighter))
        return rescale(op, solarized, (0, 255), self.value_range)
