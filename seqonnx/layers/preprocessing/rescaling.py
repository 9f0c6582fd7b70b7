"""Rescaling: from the range of the data to the range of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, ir_dtype, static_shape
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting

Factor = float | Sequence[float]


@register("layer")
class Rescaling(Layer):
    """x * scale + offset, in the layer's dtype.

    Args:
        scale: number, or one for each channel (the last axis).
        offset: number, or one for each channel.
        **kwargs: see `Layer`.

    Example:
        >>> Rescaling(0.5, offset=-1.0)([[0.0, 4.0]]).tolist()
        [[-1.0, 1.0]]
    """

    supports_masking = True

    scale: Setting[Factor] = Setting()
    offset: Setting[Factor] = Setting()

    def __init__(self, scale: Factor, offset: Factor = 0.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a cast where the input has another type, and what is not 1 or 0."""
        x = op.cast(x, self._working_dtype)
        if not _leaves_as_is(x, self.scale, 1.0):
            x = op.Mul(x, self._operand(self.scale))
        if not _leaves_as_is(x, self.offset, 0.0):
            x = op.Add(x, self._operand(self.offset))
        return x

    def _operand(self, factor: Factor) -> Any:
        array = np.asarray(factor, np.float64)
        if array.ndim == 0:
            return float(array)
        return array.astype(ir_dtype(self._working_dtype).numpy())


def _leaves_as_is(x: ir.Value, factor: Factor, neutral: float) -> bool:
    """Whether a factor changes neither a value nor its shape."""
    array = np.asarray(factor)
    spreads = array.size != 1 and array.shape != static_shape(x)[-array.ndim :]
    return not spreads and bool(np.all(array == neutral))
