"""RandomElasticTransform: images bent as if they were of rubber."""

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
    chosen,
    interpolation,
    value_range,
)
from seqonnx.layers.preprocessing.gaussian_blur import blur
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import clip
from seqonnx.ops.pixels import HEIGHT, WIDTH, known_size, places
from seqonnx.ops.sampling import Reading, sample


@register("layer")
class RandomElasticTransform(ImageLayer):
    """In training, moves every pixel by smooth noise; in inference does nothing.

    Simard et al., "Best practices for convolutional neural networks" (2003). With a strength s of
    the image, normal noise of deviation 0.05 s min(height, width) is smoothed by a Gaussian of the
    same width, and multiplied by 0.1 s max(height, width).

    Args:
        factor: limits of the probability that an image is changed: (lower, upper), or one number f
            for (0, f); from 0 to 1.
        scale: limits of the strength, as `factor`.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: what lies outside of the image: `"reflect"` (mirrored at the edge), `"mirror"`
            (mirrored at the last pixel), `"wrap"`, `"constant"` or `"nearest"`.
        fill_value: value outside, for `fill_mode="constant"`.
        value_range: the least and the greatest value of a pixel.
        seed: seed of what the layer draws; default: that of the training run.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal, or the images have no known size.
        NotImplementedError: if `fill_mode` or `interpolation` is not one of those named.

    Example:
        >>> RandomElasticTransform()(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    factor: Setting[Pair] = Setting(bounded_factor(0, 1))
    scale: Setting[Pair] = Setting(bounded_factor(0, 1, "scale"))
    interpolation: Setting[str] = Setting(interpolation)
    fill_mode: Setting[str] = Setting(
        chosen("fill_mode", ("constant", "nearest", "wrap", "mirror", "reflect"))
    )
    fill_value: Setting[float] = Setting()
    value_range: Setting[Pair] = Setting(value_range)

    def __init__(
        self,
        factor: Factor = 1.0,
        scale: Factor = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = factor
        self.scale = scale
        self.interpolation = interpolation
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.value_range = value_range
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        if self.scale[1] == 0 or self.factor[1] == 0:
            return images
        size = known_size(op, images, "RandomElasticTransform")
        changed, strength = draws.chance(self.factor), draws.uniform(self.scale)
        width = op.Max(op.Mul(strength, 0.05 * min(size)), 1e-6)
        radius = op.Floor(op.Div(op.Floor(op.Mul(width, 6.0)), 2.0))
        far = op.Mul(op.Mul(strength, 0.1 * max(size)), width)
        moves = [
            op.Squeeze(op.Mul(blur(op, noise, (width, width), (radius, radius)), far), [1])
            for noise in (draws.normal((1, *size)), draws.normal((1, *size)))
        ]
        x = op.Add(places(op, images, WIDTH), moves[0])
        y = op.Add(places(op, images, HEIGHT), moves[1])
        reading = Reading(self.interpolation, self.fill_mode, self.fill_value)
        bent = op.Where(changed, sample(op, images, x, y, reading), images)
        return clip(op, bent, self.value_range)
