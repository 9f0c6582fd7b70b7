"""RandomGaussianBlur: images smoothed at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import (
    Factor,
    Pair,
    bounded_factor,
    is_number,
    is_pair,
    value_range,
)
from seqonnx.layers.preprocessing.gaussian_blur import blur
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import clip


def _odd(given: Any) -> tuple[int, int]:
    """Sizes of a kernel, checked."""
    sizes = (given, given) if is_number(given) else given
    if not is_pair(sizes):
        raise ValueError(
            "The `kernel_size` argument should be a number (or a list of two numbers) "
            f"Received: kernel_size={given}"
        )
    if any(size % 2 != 1 or size < 1 for size in sizes):
        raise ValueError(f"kernel_size must be an odd number. Received: kernel_size={given}")
    return int(sizes[0]), int(sizes[1])


@register("layer")
class RandomGaussianBlur(ImageLayer):
    """In training, smooths images by a normal distribution; in inference does nothing.

    Outside of the image lie zeros.

    Args:
        factor: limits of the probability that an image is changed: (lower, upper), or one number f
            for (0, f); from 0 to 1.
        kernel_size: how many pixels are weighed along the width and the height, odd; one number
            for both.
        sigma: limits of the standard deviation in pixels, as `factor`; each image draws one for
            its width and one for its height.
        value_range: the least and the greatest value of a pixel.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal, or the images have no known size.

    Example:
        >>> RandomGaussianBlur()(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    factor: Setting[Pair] = Setting(bounded_factor(0, 1))
    kernel_size: Setting[tuple[int, int]] = Setting(_odd)
    sigma: Setting[Pair] = Setting(bounded_factor(0, 1, "sigma"))
    value_range: Setting[Pair] = Setting(value_range)

    def __init__(
        self,
        factor: Factor = 1.0,
        kernel_size: int | Sequence[int] = 3,
        sigma: Factor = 1.0,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = factor
        self.kernel_size = kernel_size
        self.sigma = sigma
        self.value_range = value_range
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        changed = draws.chance(self.factor)
        across, down = (op.Add(draws.uniform(self.sigma), _LEAST) for _ in range(2))
        radius = self.kernel_size[1] // 2, self.kernel_size[0] // 2
        smooth = op.Where(changed, blur(op, images, (down, across), radius), images)
        return clip(op, smooth, self.value_range)


_LEAST = 1e-6
"""Added to a deviation, which is never 0 then."""
