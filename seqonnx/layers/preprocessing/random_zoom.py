"""RandomZoom: images made larger or smaller at random."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import (
    ZOOM,
    Factor,
    fill_mode,
    interpolation,
    kept_factor,
)
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.sampling import Affine, Reading, transform


@register("layer")
class RandomZoom(ImageLayer):
    """In training, zooms every image by a factor of its own; in inference does nothing.

    Args:
        height_factor: limits of the change of the height that is seen, (lower, upper), or one
            number f for (-f, f); above -1, at most 1. Below 0 zooms in, above 0 out.
        width_factor: the same for the width; None keeps the ratio of the sides.
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
        >>> RandomZoom(0.1)(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    height_factor: Setting[Any] = Setting(kept_factor(ZOOM, "height_factor"))
    width_factor: Setting[Any] = Setting(kept_factor(ZOOM, "width_factor"))
    fill_mode: Setting[str] = Setting(fill_mode)
    interpolation: Setting[str] = Setting(interpolation)
    fill_value: Setting[float] = Setting()

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor | None = None,
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
        height = width = _drawn(draws, self.height_factor, "height_factor")
        if self.width_factor is not None:
            width = _drawn(draws, self.width_factor, "width_factor")
        reading = Reading(self.interpolation, self.fill_mode, self.fill_value)
        return transform(op, images, Affine(a=width, e=height), reading)


def _drawn(draws: Draws, factor: Any, name: str) -> ir.Value:
    """The share of a side that is seen."""
    lower, upper = ZOOM.pair(factor, name)
    return draws.uniform((1.0 + lower, 1.0 + upper), (1, 1))
