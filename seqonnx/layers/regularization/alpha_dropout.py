"""AlphaDropout: dropout that keeps mean and variance behind SELU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Unpack

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

_SATURATION: Final = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946
"""The limit of SELU for very negative inputs."""


@register("layer")
class AlphaDropout(Layer):
    """In training, sets a share of the inputs to SELU's negative limit (Klambauer et al., 2017).

    What comes out is scaled and shifted so that inputs of mean 0 and variance 1 keep both. In
    inference it does nothing.

    Args:
        rate: share that is set, from 0 to 1; at 1 nothing of the input is left, and training is
            refused.
        noise_shape: shape of the mask, batch included, None where it is that of the input; an
            axis of size 1 shares its mask.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the rate is not from 0 to 1, or `noise_shape` no sequence of sizes.

    Example:
        >>> AlphaDropout(0.5)([[1.0, 2.0]]).tolist()
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
        """Emit a (x keep + limit (1 - keep)) + b, in training."""
        if not training or self.rate == 0.0:
            return x
        if self.rate == 1.0:
            raise ValueError(
                f"Layer '{self.name}' (AlphaDropout) cannot train with rate=1: nothing of its "
                "input would be left. Choose a rate below 1."
            )
        scale = ((1.0 - self.rate) * (1.0 + self.rate * _SATURATION**2)) ** -0.5
        dropped = scale * _SATURATION
        keep = emit_mask(op, x, noise_sizes(op, x, self.noise_shape), self.rate)
        # Both factors are made of the mask alone, which may be smaller than the input.
        shift = op.Add(op.Mul(keep, -dropped), dropped * (1.0 - self.rate))
        return op.Add(op.Mul(x, op.Mul(keep, scale)), shift)
