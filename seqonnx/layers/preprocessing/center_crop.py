"""CenterCrop: the middle of images."""

from __future__ import annotations

from typing import Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import count_argument
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.aspect import crop, crop_to_aspect
from seqonnx.ops.interpolation import resize
from seqonnx.ops.pixels import known_size


@register("layer")
class CenterCrop(ImageLayer):
    """Cuts the middle out of images, in training and in inference.

    Images that are smaller than that are cropped to its ratio of height and width and made larger.

    Args:
        height: height of the part.
        width: its width.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal, or the images have no known size.

    Example:
        >>> CenterCrop(1, 2)([[[[1.0], [2.0], [3.0], [4.0]]]]).tolist()
        [[[[2.0], [3.0]]]]
    """

    height: Setting[int] = Setting(count_argument("height"), until_built=True)
    width: Setting[int] = Setting(count_argument("width"), until_built=True)

    _only_in_training = False

    def __init__(
        self,
        height: int,
        width: int,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = height
        self.width = width

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        size, (height, width) = (self.height, self.width), known_size(op, images, "CenterCrop")
        if height >= size[0] and width >= size[1]:
            return crop(op, images, ((height - size[0]) // 2, (width - size[1]) // 2), size)
        return resize(op, crop_to_aspect(op, images, size), size)
