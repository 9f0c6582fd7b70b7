"""RandomRotation: images turned around their middle at random."""

from __future__ import annotations

import math
from typing import Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import (
    Factor,
    Pair,
    bounded_factor,
    fill_mode,
    interpolation,
)
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.sampling import Affine, Reading, transform


@register("layer")
class RandomRotation(ImageLayer):
    """In training, turns every image by an angle of its own; in inference does nothing.

    Args:
        factor: limits of the angle in full turns, counter-clockwise: (lower, upper), or one
            number f for (-f, f); from -1 to 1.
        fill_mode: what lies outside of the image: `"reflect"` (mirrored at the edge), `"wrap"`
            (the image again), `"constant"` (`fill_value`) or `"nearest"` (the edge).
        interpolation: `"bilinear"` or `"nearest"`.
        seed: seed of what the layer draws; default: that of the training run.
        fill_value: value outside, for `fill_mode="constant"`.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if `factor` or another argument is not legal.
        NotImplementedError: if `fill_mode` or `interpolation` is not one of those named.

    Example:
        >>> RandomRotation(0.1)(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    factor: Setting[Pair] = Setting(bounded_factor(-1, 1))
    fill_mode: Setting[str] = Setting(fill_mode)
    fill_value: Setting[float] = Setting()
    interpolation: Setting[str] = Setting(interpolation)

    def __init__(
        self,
        factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = factor
        self.fill_mode = fill_mode
        self.interpolation = interpolation
        self.seed = seed
        self.fill_value = fill_value

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        lower, upper = self.factor
        angle = draws.uniform((2 * math.pi * lower, 2 * math.pi * upper), (1, 1))
        cos, sin = op.Cos(angle), op.Sin(angle)
        reading = Reading(self.interpolation, self.fill_mode, self.fill_value)
        return transform(op, images, Affine(a=cos, b=op.Neg(sin), d=sin, e=cos), reading)
