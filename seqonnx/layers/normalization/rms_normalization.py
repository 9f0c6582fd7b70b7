"""RMSNormalization: every example to root mean square 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable, static_shape
from seqonnx.layers.base import Layer
from seqonnx.layers.normalization.affine import over_root_mean_square
from seqonnx.layers.normalization.axes import Axes, along, checked_axes, counted_axes
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape


def _axes(axis: Any) -> Axes:
    return checked_axes(
        axis, "Expected an int or a list/tuple of ints for the argument 'axis', but received: "
    )


@register("layer")
class RMSNormalization(Layer):
    """scale x / sqrt(mean(x^2) + epsilon), within each example (Zhang and Sennrich, 2019).

    Args:
        axis: axis, or list of axes, of the mean; scale has their sizes.
        epsilon: added to the mean.
        **kwargs: see `Layer`.

    Raises:
        TypeError: if the axis is neither an integer nor a list of them.

    Example:
        >>> RMSNormalization(epsilon=0.0)([[1.0, 1.0, 1.0, 1.0]]).tolist()
        [[1.0, 1.0, 1.0, 1.0]]
    """

    _casts_integers = True

    axis: Setting[Axes] = Setting(_axes, until_built=True)
    epsilon: Setting[float] = Setting(float)

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-6,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = epsilon
        self._scale: Variable | None = None

    @property
    def _working_dtype(self) -> str:
        """At least float32, in which squares do not overflow."""
        return dtypes.widened(self.compute_dtype)

    @property
    def scale(self) -> Variable:
        """The scale: the factor of the normalized values."""
        if self._scale is None:
            raise AttributeError("You must build the layer before accessing `scale`.")
        return self._scale

    def build(self, input_shape: Shape) -> None:
        """Declare the scale."""
        axes = counted_axes(self.axis, input_shape)
        self._scale = self.add_weight([input_shape[axis] for axis in axes], "ones", name="scale")

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit reductions: ONNX's own operator is younger than the files that are written."""
        shape = static_shape(x)
        axes = counted_axes(self.axis, shape)
        y = over_root_mean_square(op, x, x, axes, self.epsilon)
        return op.Mul(y, along(op, self.scale, axes, len(shape)))
