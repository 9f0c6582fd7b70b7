"""CutMix: a rectangle of each image replaced by that of another one of the batch."""

from __future__ import annotations

from typing import Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.boxes import draw_box
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import Factor, Pair, bounded_factor
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.preprocessing.label_mixing import LabelMixing, Mixing
from seqonnx.layers.setting import Setting


@register("layer")
class CutMix(LabelMixing):
    """In training, puts a rectangle of another image into every one (Yun et al., 2019).

    The area of the rectangle is 1 - w with a w of the distribution Beta(a, a), and an a of the
    image. In inference it does nothing. On a dict with `"images"` and `"labels"` the labels are
    blended by the areas; in a model, the images alone change.

    Args:
        factor: limits of a: (lower, upper), or one number f for (0, f); from 0 to 1.
        seed: seed of what the layer draws; default: that of the training run.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> data = {"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)}
        >>> CutMix()(data, training=True)["labels"].sum(axis=1).tolist()
        [1.0, 1.0]
    """

    factor: Setting[Pair] = Setting(bounded_factor(0, 1))

    def __init__(
        self,
        factor: Factor = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.factor = factor
        self.seed = seed

    def _mix(self, op: Emitter, images: ir.Value, draws: Draws) -> Mixing:
        shape = op.Add(draws.uniform(self.factor), 1e-6)
        side = op.Sqrt(op.Sub(1.0, draws.symmetric_beta(shape)))
        box = draw_box(op, images, draws, side, side)
        order = draws.order()
        mixed = op.Where(box.inside, op.Gather(images, order, axis=0), images)
        return Mixing(mixed, order, op.Sub(1.0, box.share))
