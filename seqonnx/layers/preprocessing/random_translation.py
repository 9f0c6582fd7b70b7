"""RandomTranslation: images moved at random."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import (
    SHIFT,
    Factor,
    fill_mode,
    interpolation,
    kept_factor,
)
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.pixels import HEIGHT, WIDTH, extent
from seqonnx.ops.sampling import Affine, Reading, transform


@register("layer")
class RandomTranslation(ImageLayer):
    """In training, moves every image by a distance of its own; in inference does nothing.

    Args:
        height_factor: limits of the way down in heights of the image, (lower, upper), or one
            number f for (-f, f); from -1 to 1.
        width_factor: the same to the right, in widths.
        fill_mode: what lies outside of the image: `"reflect"`, `"wrap"`, `"constant"` or
            `"nearest"`.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: seed of what the layer draws; default: that of the training run.
        fill_value: value outside, for `fill_mode="constant"`.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if a factor or another argument is not legal.
        NotImplementedError: if `fill_mode` or `interpolation` is not one of those named.

    Example:
        >>> RandomTranslation(0.1, 0.1)(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    height_factor: Setting[Any] = Setting(kept_factor(SHIFT, "height_factor"))
    width_factor: Setting[Any] = Setting(kept_factor(SHIFT, "width_factor"))
    fill_mode: Setting[str] = Setting(fill_mode)
    interpolation: Setting[str] = Setting(interpolation)
    fill_value: Setting[float] = Setting()

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self.fill_mode = fill_mode
        self.interpolation = interpolation
        self.seed = seed
        self.fill_value = fill_value

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        down = draws.uniform(SHIFT.pair(self.height_factor, "height_factor"), (1, 1))
        right = draws.uniform(SHIFT.pair(self.width_factor, "width_factor"), (1, 1))
        x = op.Neg(op.Mul(right, extent(op, images, WIDTH)))
        y = op.Neg(op.Mul(down, extent(op, images, HEIGHT)))
        reading = Reading(self.interpolation, self.fill_mode, self.fill_value)
        return transform(op, images, Affine(c=x, f=y), reading, centred=False)
