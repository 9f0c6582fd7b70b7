"""RandomColorJitter: brightness, contrast, saturation and hue changed at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import Factor, Pair, value_range
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.preprocessing.random_brightness import RandomBrightness
from seqonnx.layers.preprocessing.random_contrast import RandomContrast
from seqonnx.layers.preprocessing.random_hue import RandomHue
from seqonnx.layers.preprocessing.random_saturation import RandomSaturation
from seqonnx.layers.setting import Setting


def _checked_by(cls: Any) -> Any:
    """A setting that is None, or a factor that a class takes; it is kept as it is given."""

    def check(factor: Any) -> Any:
        if factor is not None:
            cls(factor, name="check")
        return factor

    return Setting(check)


@register("layer")
class RandomColorJitter(ImageLayer):
    """In training, changes brightness, contrast, saturation and hue of every image, in this order.

    In inference it does nothing.

    Args:
        value_range: the least and the greatest value of a pixel.
        brightness_factor: factor of `RandomBrightness`, or None to leave it out.
        contrast_factor: factor of `RandomContrast`, or None.
        saturation_factor: factor of `RandomSaturation`, or None.
        hue_factor: factor of `RandomHue`, or None.
        seed: seed of what the layer draws; default: that of the training run.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomColorJitter(hue_factor=0.5)(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    value_range: Setting[Pair] = Setting(value_range)
    brightness_factor: Setting[Factor | None] = _checked_by(RandomBrightness)
    contrast_factor: Setting[Factor | None] = _checked_by(RandomContrast)
    saturation_factor: Setting[Factor | None] = _checked_by(RandomSaturation)
    hue_factor: Setting[Factor | None] = _checked_by(RandomHue)

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        brightness_factor: Factor | None = None,
        contrast_factor: Factor | None = None,
        saturation_factor: Factor | None = None,
        hue_factor: Factor | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_range
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        range_ = self.value_range
        if self.brightness_factor is not None:
            brightness = RandomBrightness(self.brightness_factor, range_, name="brightness")
            images = brightness._transform_within(op, images, draws)
        if self.contrast_factor is not None:
            contrast = RandomContrast(self.contrast_factor, range_, name="contrast")
            images = contrast._transform_within(op, images, draws)
        if self.saturation_factor is not None:
            saturation = RandomSaturation(self.saturation_factor, range_, name="saturation")
            images = saturation._transform_within(op, images, draws)
        if self.hue_factor is not None:
            hue = RandomHue(self.hue_factor, range_, name="hue")
            images = hue._transform_within(op, images, draws)
        return images
