"""RandomCrop: a part of each image, from a random place."""

from __future__ import annotations

from typing import Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import count_argument
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.aspect import Size, crop, crop_to_aspect, matching
from seqonnx.ops.interpolation import resize
from seqonnx.ops.pixels import known_size


@register("layer")
class RandomCrop(ImageLayer):
    """In training, cuts a part out of each image, from a place of its own.

    Images that are not larger than the part in both directions are cropped around the middle and
    resized. In inference, the largest part around the middle that has the ratio of height and
    width is resized.

    Args:
        height: height of the part.
        width: its width.
        seed: seed of what the layer draws; default: that of the training run.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal, or the images have no known size.

    Example:
        >>> RandomCrop(2, 2)(np.ones((1, 5, 5, 3)), training=True).shape
        (1, 2, 2, 3)
    """

    height: Setting[int] = Setting(count_argument("height"), until_built=True)
    width: Setting[int] = Setting(count_argument("width"), until_built=True)

    _only_in_training = False

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = height
        self.width = width
        self.seed = seed

    def _transform_in_inference(self, op: Emitter, images: ir.Value) -> ir.Value:
        size = (self.height, self.width)
        return resize(op, crop_to_aspect(op, images, size), size)

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        size, known = (self.height, self.width), known_size(op, images, "RandomCrop")
        if known[0] <= size[0] or known[1] <= size[1]:
            return resize(op, _small(op, images, known, size), size)
        free = [old - new + 1 for old, new in zip(known, size, strict=True)]
        top, left = (draws.integers(count, (1, 1)) for count in free)
        return _cut(op, images, top, left, size, known)


def _small(op: Emitter, images: ir.Value, known: Size, size: Size) -> ir.Value:
    """Emit what is resized of images that are not larger than a part in both directions.

    It starts where the part around the middle does, and is as large as the part where it can be.
    """
    within = [max(min(a, b), 1) for a, b in zip(known, matching(known, size), strict=True)]
    top, left = ((old - new) // 2 for old, new in zip(known, within, strict=True))
    height, width = min(size[0], known[0] - top), min(size[1], known[1] - left)
    return crop(op, images, (top, left), (height, width))


def _cut(
    op: Emitter, images: ir.Value, top: ir.Value, left: ir.Value, size: Size, known: Size
) -> ir.Value:
    """Emit the part of each image that starts at a row and a column of its own.

    Pixels are rows of a table, and each image picks some of them.
    """
    rows = op.Add(top, np.arange(size[0])[:, None])
    columns = op.Add(left, np.arange(size[1]))
    picked = op.Reshape(op.Add(op.Mul(rows, known[1]), columns), [0, size[0] * size[1], 1])
    table = op.Transpose(op.Reshape(images, [0, 0, known[0] * known[1]]), perm=[0, 2, 1])
    made = op.GatherND(table, picked, batch_dims=1)
    return op.Reshape(op.Transpose(made, perm=[0, 2, 1]), [0, 0, *size])
