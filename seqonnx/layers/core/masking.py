"""Masking: steps of which all features are one value do not count."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.tensor_function import evaluate


@register("layer")
class Masking(Layer):
    """Masks the steps at which all features are `mask_value`: layers after it leave them out.

    The features of such steps become 0.

    Args:
        mask_value: the value; or a list with one for each feature.
        **kwargs: see `Layer`.

    Example:
        >>> Masking(-1.0)([[[-1.0, -1.0], [-1.0, 2.0]]]).tolist()
        [[[0.0, 0.0], [-1.0, 2.0]]]
    """

    supports_masking = True

    mask_value: Setting[Any] = Setting(plain_value)

    def __init__(self, mask_value: Any = 0.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a comparison; the mask goes with the output."""
        mask = self._counting(op, x)
        y = op.Where(op.Unsqueeze(mask, [-1]), x, op.CastLike(0.0, x))
        op.set_mask(y, mask)
        return y

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return where a feature is not the value."""
        return evaluate(self._counting, inputs, key=("masking", repr(self.mask_value)))

    def _counting(self, op: Emitter, x: ir.Value) -> ir.Value:
        """The steps that count."""
        value = op.CastLike(self.mask_value, x)
        return any_of_last(op, op.Not(op.Equal(x, value)))


def any_of_last(op: Emitter, mask: ir.Value) -> ir.Value:
    """Emit whether anything along the last axis is True; the axis goes."""
    return op.cast(op.ReduceMax(op.cast(mask, "float32"), [-1], keepdims=0), "bool")
