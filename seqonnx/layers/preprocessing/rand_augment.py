"""RandAugment: several transformations of each image, chosen at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.augmentations import augmentations, one_of
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import (
    Factor,
    Pair,
    bounded_factor,
    count_argument,
    interpolation,
    value_range,
)
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting


@register("layer")
class RandAugment(ImageLayer):
    """In training, changes every image several times in ways of its own (Cubuk et al., 2019).

    Each time one of eleven layers is chosen: RandomShear, RandomTranslation, RandomRotation,
    RandomBrightness, RandomColorDegeneration, RandomContrast, RandomSharpness,
    RandomPosterization, Solarization, AutoContrast and Equalization. In inference it does nothing.

    Args:
        value_range: the least and the greatest value of a pixel.
        num_ops: how many times.
        factor: limits of the strength: (lower, upper), or one number f for (0, f); from 0 to 1.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: seed of what the layer draws; default: that of the training run.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.
        NotImplementedError: if `interpolation` is not one of those named.

    Example:
        >>> RandAugment()(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    value_range: Setting[Pair] = Setting(value_range)
    num_ops: Setting[int] = Setting(count_argument("num_ops"))
    factor: Setting[Pair] = Setting(bounded_factor(0, 1))
    interpolation: Setting[str] = Setting(interpolation)

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_ops: int = 2,
        factor: Factor = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_range
        self.num_ops = num_ops
        self.factor = factor
        self.interpolation = interpolation
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        layers = augmentations(self.factor, self.value_range, self.interpolation)
        for _ in range(self.num_ops):
            images = one_of(op, images, draws, layers, len(layers))
        return images
