"""AutoContrast: the whole range of pixels in every channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import Pair, sorted_range
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import ImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import rescale
from seqonnx.ops.pixels import HEIGHT, WIDTH


@register("layer")
class AutoContrast(ImageLayer):
    """Stretches every channel of an image to the range of the pixels, in training and in inference.

    A channel of one value stays as it is.

    Args:
        value_range: the least and the greatest value of a pixel.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> AutoContrast()([[[[10.0], [20.0], [30.0]]]]).tolist()
        [[[[0.0], [127.5], [255.0]]]]
    """

    value_range: Setting[Pair] = Setting(sorted_range)

    _only_in_training = False

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        **kwargs: Unpack[ImageOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.value_range = value_range

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        low = op.ReduceMin(images, [HEIGHT, WIDTH], keepdims=1)
        spread = op.Sub(op.ReduceMax(images, [HEIGHT, WIDTH], keepdims=1), low)
        varied = op.Greater(spread, 0.0)
        share = op.Div(op.Sub(images, low), op.Where(varied, spread, 1.0))
        return op.Where(varied, rescale(op, share, (0, 1), self.value_range), images)
