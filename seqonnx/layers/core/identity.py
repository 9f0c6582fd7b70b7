"""Identity: nothing at all."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import Layer


@register("layer")
class Identity(Layer):
    """Passes its input on.

    Args:
        **kwargs: see `Layer`.

    Example:
        >>> Identity()([[1.0]]).tolist()
        [[1.0]]
    """

    supports_masking = True

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit nothing."""
        return x
