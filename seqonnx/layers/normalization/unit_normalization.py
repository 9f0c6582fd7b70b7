"""UnitNormalization: every example to norm 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Unpack

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.base import Layer
from seqonnx.layers.normalization.axes import Axes, checked_axes, counted_axes
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.window import shown_shape

_LEAST: Final = 1e-12
"""Norm below which an input counts as one of this norm."""


def _axes(axis: Any) -> Axes:
    return checked_axes(
        axis,
        "Invalid value for `axis` argument: expected an int or a list/tuple of ints. "
        "Received: axis=",
    )


@register("layer")
class UnitNormalization(Layer):
    """x / |x|, with the Euclidean norm of each example; zeros stay zeros.

    Args:
        axis: axis, or list of axes, of the norm.
        **kwargs: see `Layer`.

    Raises:
        TypeError: if the axis is neither an integer nor a list of them.

    Example:
        >>> UnitNormalization()([[0.0, 4.0]]).tolist()
        [[0.0, 1.0]]
    """

    _casts_integers = True

    supports_masking = True

    axis: Setting[Axes] = Setting(_axes)

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    @property
    def _working_dtype(self) -> str:
        """At least float32, in which squares do not overflow."""
        return dtypes.widened(self.compute_dtype)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a product with 1 / |x|."""
        axes = counted_axes(self.axis, shown_shape(static_shape(x)))
        squares = op.ReduceSumSquare(x, axes)
        # The limit stands below the root: at 0 the root's derivative is infinite.
        return op.Mul(x, op.Reciprocal(op.Sqrt(op.Max(squares, _LEAST**2))))
