"""Permute: axes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting


def _order(dims: Any) -> tuple[int, ...]:
    """The axes in their new order, checked."""
    order = tuple(dims)
    if sorted(order) != list(range(1, len(order) + 1)):
        raise ValueError(
            "Invalid permutation argument `dims` for Permute Layer. The set of indices in `dims` "
            f"must be consecutive and start from 1. Received dims={dims}"
        )
    return order


@register("layer")
class Permute(Layer):
    """Puts the axes into another order; the batch stays first.

    Args:
        dims: the axis of the input that each axis of the output is, counted from 1.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if `dims` does not hold each axis once.

    Example:
        >>> Permute((2, 1))([[[1.0, 2.0]]]).tolist()
        [[[1.0], [2.0]]]
    """

    dims: Setting[tuple[int, ...]] = Setting(_order, until_built=True)

    def __init__(self, dims: Sequence[int], **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.dims = plain_value(dims)
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a Transpose."""
        return op.Transpose(x, perm=[0, *self.dims])
