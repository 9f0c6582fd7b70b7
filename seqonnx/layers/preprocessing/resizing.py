"""Resizing: images in another size."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import count_argument
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.aspect import crop_to_aspect, pad_to_aspect
from seqonnx.ops.interpolation import checked_interpolation, resize


def _fill_mode(given: Any) -> str:
    """The way of filling, checked."""
    if given != "constant":
        raise ValueError(
            "Invalid value for argument `fill_mode`. Only `'constant'` is supported. "
            f"Received: fill_mode={given}"
        )
    return str(given)


@register("layer")
class Resizing(ImageLayer):
    """Makes images as large as is wanted, in training and in inference.

    Integers stay what they are: results are rounded.

    Args:
        height: new height.
        width: new width.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"` (Keys, 1981, with a = -0.5),
            `"lanczos3"` or `"lanczos5"` (images of a known size).
        crop_to_aspect_ratio: whether to crop to the new ratio of height and width first.
        pad_to_aspect_ratio: whether to pad to it first.
        fill_mode: what to pad with: `"constant"`.
        fill_value: the constant.
        antialias: whether images that become smaller are blurred first.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> Resizing(1, 4)([[[[1.0], [5.0]]]]).tolist()
        [[[[1.0], [2.0], [4.0], [5.0]]]]
    """

    height: Setting[int] = Setting(count_argument("height"), until_built=True)
    width: Setting[int] = Setting(count_argument("width"), until_built=True)
    interpolation: Setting[str] = Setting(checked_interpolation)
    crop_to_aspect_ratio: Setting[bool] = Setting(bool)
    pad_to_aspect_ratio: Setting[bool] = Setting(bool)
    fill_mode: Setting[str] = Setting(_fill_mode)
    fill_value: Setting[float] = Setting()
    antialias: Setting[bool] = Setting(bool)

    _only_in_training = False

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = height
        self.width = width
        self.interpolation = interpolation
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(
                "Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`."
            )
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = antialias

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        size = (self.height, self.width)
        if self.crop_to_aspect_ratio:
            images = crop_to_aspect(op, images, size)
        elif self.pad_to_aspect_ratio:
            images = pad_to_aspect(op, images, size, float(self.fill_value))
        return resize(op, images, size, self.interpolation, antialias=self.antialias)

    def _result_dtype(self, x: ir.Value) -> str:
        """Integers stay integers."""
        given = dtype_name(x)
        return self.compute_dtype if dtypes.is_float(given) else given
