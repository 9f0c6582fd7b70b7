"""Dropout: training with some inputs set to zero at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.own_seed import OwnSeed
from seqonnx.layers.regularization.noise import (
    checked_noise_shape,
    checked_rate,
    emit_mask,
    noise_sizes,
)
from seqonnx.layers.setting import Setting


@register("layer")
class Dropout(Layer):
    """In training, sets a share of the inputs to 0 and scales up the others (Srivastava et al.,
    2014); in inference does nothing.

    Args:
        rate: share that is set to 0, from 0 to 1.
        noise_shape: shape of the mask, batch included, None where it is that of the input; an
            axis of size 1 shares its mask: `(None, 1, 1, None)` drops whole channels.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the rate is not from 0 to 1, or `noise_shape` no sequence of sizes.

    Example:
        >>> Dropout(0.5)([[1.0, 2.0]]).tolist()
        [[1.0, 2.0]]
    """

    supports_masking = True

    rate: Setting[float] = Setting(checked_rate)
    seed = OwnSeed()
    noise_shape: Setting[list[int | None] | None] = Setting(checked_noise_shape)

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.noise_shape = noise_shape
        self.seed = seed

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a product with the mask, in training."""
        return emit_dropout(op, x, self.rate, self.noise_shape) if training else x


def emit_dropout(
    op: Emitter, x: ir.Value, rate: float, noise_shape: Sequence[int | None] | None
) -> ir.Value:
    """Emit a product with a mask that keeps the mean.

    Args:
        op: emitter.
        x: value.
        rate: share that is set to 0, from 0 to 1.
        noise_shape: shape of the mask, None where it is that of the value.

    Raises:
        ValueError: if the mask has not as many axes as the value, or a size is not known.
    """
    if rate == 0.0:
        return x
    if rate == 1.0:
        return op.Mul(x, 0.0)
    keep = emit_mask(op, x, noise_sizes(op, x, noise_shape), rate)
    return op.Mul(x, op.Mul(keep, 1.0 / (1.0 - rate)))
