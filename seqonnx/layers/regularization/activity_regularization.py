"""ActivityRegularization: a penalty on what passes."""

from __future__ import annotations

from typing import Any, Unpack

import onnx_ir as ir

from seqonnx import regularizers
from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import Layer
from seqonnx.layers.options import BasicLayerOptions


@register("layer")
class ActivityRegularization(Layer):
    """Returns its input, and adds l1 * sum |x| + l2 * sum x^2 over the batch size to the loss.

    Args:
        l1: factor of the sum of the absolute values.
        l2: factor of the sum of squares.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if a factor is not a finite number.

    Example:
        >>> ActivityRegularization(l2=0.1)([[1.0, 2.0]]).tolist()
        [[1.0, 2.0]]
    """

    supports_masking = True

    def __init__(
        self, l1: float = 0.0, l2: float = 0.0, **kwargs: Unpack[BasicLayerOptions]
    ) -> None:
        penalty = regularizers.L1L2(l1, l2)
        super().__init__(activity_regularizer=penalty, **kwargs)
        self.l1 = penalty.l1
        self.l2 = penalty.l2

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit an Identity, so that what is penalised is a value of this layer."""
        return op.Identity(x)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the regularizer follows from them."""
        config = super().get_config()
        del config["activity_regularizer"]
        return config
