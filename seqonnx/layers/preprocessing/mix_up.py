"""MixUp: each image blended with another one of the batch."""

from __future__ import annotations

from typing import Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import positive_argument
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.preprocessing.label_mixing import LabelMixing, Mixing
from seqonnx.layers.setting import Setting


@register("layer")
class MixUp(LabelMixing):
    """In training, blends every image with another one of its batch (Zhang et al., 2017).

    The shares are w and 1 - w with a w of the distribution Beta(alpha, alpha). In inference it
    does nothing. On a dict with `"images"` and `"labels"` it blends the labels, too; in a model,
    the images alone.

    Args:
        alpha: parameter of the distribution; the smaller, the more unequal are the shares.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> data = {"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)}
        >>> MixUp()(data, training=True)["labels"].sum(axis=1).tolist()
        [1.0, 1.0]
    """

    alpha: Setting[float] = Setting(positive_argument("alpha"))

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.alpha = alpha
        self.seed = seed

    def _mix(self, op: Emitter, images: ir.Value, draws: Draws) -> Mixing:
        order = draws.order()
        share = draws.symmetric_beta(self.alpha)
        others = op.Mul(op.Gather(images, order, axis=0), op.Sub(1.0, share))
        return Mixing(op.Add(op.Mul(images, share), others), order, share)
