"""LayerScale: a learned factor for every channel of what a block adds."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.initializers import Constant
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions


@register("layer")
class LayerScale(Layer):
    """x times a learned factor for each channel (Touvron et al., 2021); ConvNeXt has it.

    Args:
        init_values: first value of the factors.
        projection_dim: number of channels, the last axis.
        **kwargs: see `Layer`.

    Example:
        >>> LayerScale(0.5, 2)([[2.0, 4.0]]).tolist()
        [[1.0, 2.0]]
    """

    def __init__(
        self, init_values: float, projection_dim: int, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = projection_dim

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Declare the factors."""
        self.gamma = self.add_weight((self.projection_dim,), Constant(self.init_values))

    def call(self, op: Emitter, x: ir.Value, training: bool) -> Any:
        """Emit a product."""
        return op.Mul(x, self.gamma)
