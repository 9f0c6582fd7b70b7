"""GaussianNoise and GaussianDropout: training with normal noise on the inputs."""

from __future__ import annotations

import math
from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.own_seed import OwnSeed
from seqonnx.layers.regularization.noise import checked_rate, emit_normal
from seqonnx.layers.setting import Setting


def _deviation(stddev: Any) -> float:
    """The standard deviation of noise, checked."""
    if not isinstance(stddev, int | float | np.number) or not 0 <= stddev <= 1:
        raise ValueError(
            "Invalid value received for argument `stddev`. Expected a float value between 0 and "
            f"1. Received: stddev={stddev}"
        )
    return float(stddev)


@register("layer")
class GaussianNoise(Layer):
    """In training, adds normal noise of mean 0; in inference does nothing.

    Args:
        stddev: standard deviation of the noise, from 0 to 1.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the deviation is not from 0 to 1.

    Example:
        >>> GaussianNoise(0.1)([[1.0, 2.0]]).tolist()
        [[1.0, 2.0]]
    """

    supports_masking = True

    seed = OwnSeed()
    stddev: Setting[float] = Setting(_deviation)

    def __init__(
        self, stddev: float, seed: int | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.stddev = stddev
        self.seed = seed

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a sum with the noise, in training."""
        if not training or self.stddev == 0.0:
            return x
        return op.Add(x, emit_normal(op, x, 0.0, self.stddev))


@register("layer")
class GaussianDropout(Layer):
    """In training, multiplies by normal noise of mean 1 and deviation sqrt(rate / (1 - rate)).

    That is the deviation of Dropout's noise of the same rate (Srivastava et al., 2014). In
    inference it does nothing.

    Args:
        rate: share that Dropout would set to 0, from 0 to 1; at 1 the noise has no limit, and
            training is refused.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the rate is not from 0 to 1.

    Example:
        >>> GaussianDropout(0.5)([[1.0, 2.0]]).tolist()
        [[1.0, 2.0]]
    """

    supports_masking = True

    seed = OwnSeed()
    rate: Setting[float] = Setting(checked_rate)

    def __init__(
        self, rate: float, seed: int | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a product with the noise, in training."""
        if not training or self.rate == 0.0:
            return x
        if self.rate == 1.0:
            raise ValueError(
                f"Layer '{self.name}' (GaussianDropout) cannot train with rate=1: its noise would "
                "have an infinite deviation. Choose a rate below 1."
            )
        return op.Mul(x, emit_normal(op, x, 1.0, math.sqrt(self.rate / (1.0 - self.rate))))
