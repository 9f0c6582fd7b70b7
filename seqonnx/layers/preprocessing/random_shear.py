"""RandomShear: images slanted at random."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import (
    SHEAR,
    Factor,
    Pair,
    fill_mode,
    interpolation,
    is_pair,
)
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.sampling import Affine, Reading, transform


def _shear(factor: Any, name: str) -> Pair:
    """A factor as (lower, upper); (-f, f), as it stands in configurations, is what f gives."""
    if is_pair(factor) and factor[0] == -factor[1]:
        factor = factor[1]
    return SHEAR.pair(factor, name)


@register("layer")
class RandomShear(ImageLayer):
    """In training, slants every image by an amount of its own; in inference does nothing.

    Args:
        x_factor: limits of how far a row moves sideways for each row down, (lower, upper), or one
            number f for (-f, f); from 0 to 1. Half of the images slant the other way.
        y_factor: the same for how far a column moves down.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: what lies outside of the image: `"reflect"`, `"wrap"`, `"constant"` or
            `"nearest"`.
        fill_value: value outside, for `fill_mode="constant"`.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if a factor or another argument is not legal.
        NotImplementedError: if `fill_mode` or `interpolation` is not one of those named.

    Example:
        >>> RandomShear(0.2)(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    x_factor: Setting[Pair] = Setting(lambda given: _shear(given, "x_factor"))
    y_factor: Setting[Pair] = Setting(lambda given: _shear(given, "y_factor"))
    interpolation: Setting[str] = Setting(interpolation)
    fill_mode: Setting[str] = Setting(fill_mode)
    fill_value: Setting[float] = Setting()

    def __init__(
        self,
        x_factor: Factor = 0.0,
        y_factor: Factor = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.x_factor = x_factor
        self.y_factor = y_factor
        self.interpolation = interpolation
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        inverted = op.Greater(draws.uniform(sizes=(1, 1)), 0.5)
        down, right = draws.uniform(self.y_factor, (1, 1)), draws.uniform(self.x_factor, (1, 1))
        affine = Affine(
            b=op.Where(inverted, op.Neg(right), right), d=op.Where(inverted, op.Neg(down), down)
        )
        reading = Reading(self.interpolation, self.fill_mode, self.fill_value)
        return transform(op, images, affine, reading, centred=False)
