"""RandomErasing: rectangles of images overwritten at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name, ir_dtype, static_shape
from seqonnx.layers.preprocessing.boxes import draw_box
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import (
    Factor,
    Pair,
    bounded_factor,
    is_number,
    value_range,
)
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import clip


def _fill_value(given: Any) -> Any:
    """The values to write, checked."""
    three = isinstance(given, list | tuple) and len(given) == 3 and all(map(is_number, given))
    if given is not None and not is_number(given) and not three:
        raise ValueError(
            "The `fill_value` argument should be a number (or a list of three numbers). "
            f"Received: fill_value={given}"
        )
    return given


@register("layer")
class RandomErasing(ImageLayer):
    """In training, overwrites a rectangle of images (Zhong et al., 2017).

    In inference it does nothing.

    Args:
        factor: limits of the probability that an image is changed: (lower, upper), or one number f
            for (0, f); from 0 to 1.
        scale: limits of the squares of the sides of the rectangle, in units of those of the image,
            as `factor`.
        fill_value: a number, three of them for the channels, or None for normal noise.
        value_range: the least and the greatest value of a pixel.
        seed: seed of what the layer draws; default: that of the training run.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal, or `fill_value` is None and the images have no
            known size.

    Example:
        >>> RandomErasing(fill_value=0.0)(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    factor: Setting[Pair] = Setting(bounded_factor(0, 1))
    scale: Setting[Pair] = Setting(bounded_factor(0, 1, "scale"))
    fill_value: Setting[Any] = Setting(_fill_value)
    value_range: Setting[Pair] = Setting(value_range)

    def __init__(
        self,
        factor: Factor = 1.0,
        scale: Factor = (0.02, 0.33),
        fill_value: float | Sequence[float] | None = None,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = factor
        self.scale = scale
        self.fill_value = fill_value
        self.value_range = value_range
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        width, height = (op.Sqrt(draws.uniform(self.scale)) for _ in range(2))
        box = draw_box(op, images, draws, width, height)
        erased = op.And(draws.chance(self.factor), box.inside)
        return op.Where(erased, self._filling(op, images, draws), images)

    def _filling(self, op: Emitter, images: ir.Value, draws: Draws) -> Any:
        """The values inside of the rectangle."""
        if self.fill_value is None:
            noise = draws.normal(static_shape(images)[1:])
            return clip(op, op.Mul(noise, float(self.value_range[1])), self.value_range)
        values = np.clip(self.fill_value, *self.value_range)
        channels = values.reshape(1, -1, 1, 1).astype(ir_dtype(dtype_name(images)).numpy())
        return op.constant(channels, "filling")
