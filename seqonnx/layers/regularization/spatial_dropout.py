"""SpatialDropout: training with whole channels set to zero at random."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.own_seed import OwnSeed
from seqonnx.layers.regularization.dropout import emit_dropout
from seqonnx.layers.regularization.noise import checked_rate
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import FIRST, LAST, check_data_format


class _SpatialDropout(Layer):
    """Base: `rank` is the number of spatial axes."""

    supports_masking = True

    seed = OwnSeed()
    rate: Setting[float] = Setting(checked_rate)
    data_format: Setting[str] = Setting(check_data_format)

    _rank: int

    def __init__(self, rate: float, seed: int | None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = seed
        self.data_format = LAST
        self.input_spec = InputSpec(ndim=self._rank + 2)

    @property
    def _noise_shape(self) -> list[int | None]:
        """Shape of the mask, with one element for all places of a channel."""
        places = [1] * self._rank
        return [None, None, *places] if self.data_format == FIRST else [None, *places, None]

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a product with the mask, in training."""
        return emit_dropout(op, x, self.rate, self._noise_shape) if training else x

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; `trainable` only if it is False."""
        # Keras's classes do not take it, and there are no weights that it could concern.
        config = super().get_config()
        return {key: value for key, value in config.items() if key != "trainable" or not value}


@register("layer")
class SpatialDropout1D(_SpatialDropout):
    """In training, sets whole channels of sequences to 0 (Tompson et al., 2014).

    Args:
        rate: share of channels that is set to 0, from 0 to 1; the others are scaled up.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the rate is not from 0 to 1.

    Example:
        >>> SpatialDropout1D(0.5)([[[1.0, 2.0]]]).tolist()
        [[[1.0, 2.0]]]
    """

    _rank = 1

    def __init__(
        self, rate: float, seed: int | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(rate, seed, **kwargs)


@register("layer")
class SpatialDropout2D(_SpatialDropout):
    """In training, sets whole channels of images to 0 (Tompson et al., 2014).

    Args:
        rate: share of channels that is set to 0, from 0 to 1; the others are scaled up.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the rate is not from 0 to 1.

    Example:
        >>> SpatialDropout2D(0.5)([[[[1.0, 2.0]]]]).tolist()
        [[[[1.0, 2.0]]]]
    """

    _rank = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        self.data_format = data_format


@register("layer")
class SpatialDropout3D(_SpatialDropout):
    """In training, sets whole channels of volumes to 0 (Tompson et al., 2014).

    Args:
        rate: share of channels that is set to 0, from 0 to 1; the others are scaled up.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the rate is not from 0 to 1.

    Example:
        >>> SpatialDropout3D(0.5)([[[[[1.0, 2.0]]]]]).tolist()
        [[[[[1.0, 2.0]]]]]
    """

    _rank = 3

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        self.data_format = data_format
