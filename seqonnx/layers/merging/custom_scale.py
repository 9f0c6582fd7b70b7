"""CustomScaleLayer: an input, and a part of what a block makes of it."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.merging.merging import Merge
from seqonnx.layers.options import LayerOptions


@register("layer")
class CustomScaleLayer(Merge):
    """x + scale y, of a list of two (Szegedy et al., 2017); InceptionResNetV2 has it.

    Args:
        scale: factor of the second.
        **kwargs: see `Layer`.

    Example:
        >>> CustomScaleLayer(0.5)([np.ones((1, 2)), np.ones((1, 2))]).tolist()
        [[1.5, 1.5]]
    """

    def __init__(self, scale: float, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, op: Emitter, x: list[ir.Value], training: bool) -> Any:
        """Emit a product and a sum."""
        return op.Add(x[0], op.Mul(x[1], self.scale))
