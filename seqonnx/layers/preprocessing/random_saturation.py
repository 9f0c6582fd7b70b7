"""RandomSaturation: more or less colour at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Unpack

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
from seqonnx.ops.color import clip, from_hsv, to_hsv

_EPSILON: Final = 1e-7
"""Keeps u / (1 - u) finite, as `keras.config.epsilon()` does."""


@register("layer")
class RandomSaturation(ImageLayer):
    """In training, changes the saturation of every image; in inference does nothing.

    The saturation is multiplied by u / (1 - u) with a u of the image: 0.5 leaves it as it is.

    Args:
        factor: limits of u: (lower, upper), or one number f for (-f, f); from 0 to 1 makes sense,
            from -1 is legal, as in Keras.
        value_range: limits of the saturation after the product.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomSaturation((0.3, 0.7))(np.ones((2, 8, 8, 3)), training=True).max() == 1.0
        np.True_
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
        share = draws.uniform(self.factor)
        more = op.Div(share, op.Sub(1.0 + _EPSILON, share))
        hue, saturation, value = to_hsv(op, images)
        return from_hsv(op, hue, clip(op, op.Mul(saturation, more), self.value_range), value)
