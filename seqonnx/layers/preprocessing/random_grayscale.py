"""RandomGrayscale: images without colour at random."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import is_number
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import grayscale


def _share(factor: Any) -> float:
    """A share, checked."""
    if not is_number(factor) or not 0 <= factor <= 1:
        raise ValueError(f"`factor` should be between 0 and 1. Received: factor={factor}")
    return float(factor)


@register("layer")
class RandomGrayscale(ImageLayer):
    """In training, takes the colour from a share of the images; in inference does nothing.

    Args:
        factor: the share, from 0 to 1.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> RandomGrayscale(1.0)([[[[0.0, 100.0, 0.0]]]]).round().tolist()
        [[[[59.0, 59.0, 59.0]]]]
    """

    factor: Setting[float] = Setting(_share)

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = factor
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        return op.Where(draws.below(self.factor), grayscale(op, images), images)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments without the seed, as Keras does."""
        config = super().get_config()
        del config["seed"]
        return config
