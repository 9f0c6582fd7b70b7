"""RandomFlip: images turned over at random."""

from __future__ import annotations

from typing import Any, Final, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.pixels import HEIGHT, WIDTH

_AXES: Final = {
    "horizontal": (WIDTH,),
    "vertical": (HEIGHT,),
    "horizontal_and_vertical": (WIDTH, HEIGHT),
}
_BEFORE_FIRST: Final = -(2**63) + 1


def _mode(mode: Any) -> str:
    """The mode, checked."""
    if mode not in _AXES:
        raise ValueError(f"Argument `mode` must be one of {tuple(_AXES)}. Received: mode={mode!r}")
    return str(mode)


@register("layer")
class RandomFlip(ImageLayer):
    """In training, turns over about half of the images; in inference does nothing.

    Args:
        mode: `"horizontal"` turns left to right, `"vertical"` upside down,
            `"horizontal_and_vertical"` does both at once.
        seed: seed of what the layer draws; default: that of the training run.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomFlip("horizontal")([[[[1.0], [2.0]]]], training=False).tolist()
        [[[[1.0], [2.0]]]]
    """

    mode: Setting[str] = Setting(_mode)

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.seed = seed
        self.mode = mode

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        axes = list(_AXES[self.mode])
        ends = [_BEFORE_FIRST] * len(axes)
        turned = op.Slice(images, [-1] * len(axes), ends, axes, [-1] * len(axes))
        return op.Where(draws.below(0.5), turned, images)
