"""RandomPosterization: fewer bits for each pixel at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name, ir_dtype
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
from seqonnx.ops.color import clip, rescale


@register("layer")
class RandomPosterization(ImageLayer):
    """In training, keeps the upper bits of the pixels of every image, counted from 0 to 255; in
    inference does nothing.

    Args:
        factor: how many bits: (lower, upper) draws from lower up to, but without, upper; one number
            f stands for (1, f); from 1 to 8. Two equal numbers are that number.
        value_range: the least and the greatest value of a pixel.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomPosterization((2, 2))([[[[100.0]]]], training=True).tolist()
        [[[[64.0]]]]
    """

    factor: Setting[Pair] = Setting(bounded_factor(1, 8))
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
        lower, upper = self.factor
        step: Any = 2.0 ** (8 - lower)
        if lower != upper:
            two = op.constant(np.array(2, ir_dtype(dtype_name(images)).numpy()), "two")
            step = op.Pow(two, op.Sub(8.0, op.Floor(draws.uniform(self.factor))))
        pixels = clip(op, rescale(op, images, self.value_range, (0, 255)), (0, 255))
        kept = op.Mul(op.Floor(op.Div(pixels, step)), step)
        return rescale(op, kept, (0, 255), self.value_range)
