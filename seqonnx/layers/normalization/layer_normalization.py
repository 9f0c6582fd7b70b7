"""LayerNormalization: every example to mean 0 and variance 1."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.layers.normalization.affine import AffineLayer, centred, over_root_mean_square
from seqonnx.layers.normalization.axes import Axes, along, checked_axes, counted_axes
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape


def _axes(axis: Any) -> Axes:
    return checked_axes(
        axis, "Expected an int or a list/tuple of ints for the argument 'axis', but received: "
    )


@register("layer")
class LayerNormalization(AffineLayer):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, within each example (Ba et al., 2016).

    Args:
        axis: axis, or list of axes, over which mean and variance are taken; gamma and beta have
            their sizes.
        epsilon: added to the variance.
        center: whether beta is added.
        scale: whether gamma multiplies.
        beta_initializer: first beta.
        gamma_initializer: first gamma.
        beta_regularizer: penalty on beta.
        gamma_regularizer: penalty on gamma.
        beta_constraint: limits of beta.
        gamma_constraint: limits of gamma.
        rms_scaling: gamma x / sqrt(variance + epsilon) instead; deprecated, see
            `RMSNormalization`.
        **kwargs: see `Layer`.

    Raises:
        TypeError: if the axis is neither an integer nor a list of them.

    Example:
        >>> LayerNormalization(epsilon=0.0)([[1.0, 3.0]]).tolist()
        [[-1.0, 1.0]]
    """

    axis: Setting[Axes] = Setting(_axes, until_built=True)
    rms_scaling: Setting[bool] = Setting(bool, until_built=True)

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        *,
        rms_scaling: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        if rms_scaling:
            warnings.warn(
                "`rms_scaling=True` of LayerNormalization is deprecated: it divides by the "
                "standard deviation, not by the root mean square. Use RMSNormalization.",
                UserWarning,
                stacklevel=2,
            )
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.axis = axis
        self.rms_scaling = rms_scaling

    def build(self, input_shape: Shape) -> None:
        """Declare gamma and beta."""
        shape = [input_shape[axis] for axis in counted_axes(self.axis, input_shape)]
        if self.scale or self.rms_scaling:
            self._add_gamma(shape)
        if self.center and not self.rms_scaling:
            self._add_beta(shape)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a LayerNormalization; the axes are moved to the end where they are not there."""
        shape = static_shape(x)
        axes = counted_axes(self.axis, shape)
        if self.rms_scaling:
            y = over_root_mean_square(op, x, centred(op, x, axes), axes, self.epsilon)
            return y if self.gamma is None else op.Mul(y, along(op, self.gamma, axes, len(shape)))
        others = [axis for axis in range(len(shape)) if axis not in axes]
        order = others + axes
        if order == sorted(order):
            return self._emit_last(op, x, len(others), training)
        y = self._emit_last(op, op.Transpose(x, perm=order), len(others), training)
        return op.Transpose(y, perm=[int(axis) for axis in np.argsort(order)])

    def _emit_last(self, op: Emitter, x: ir.Value, first: int, training: bool) -> ir.Value:
        """Normalize over the axes from `first` on."""
        sizes = static_shape(x)[first:]
        scale: Any = self.gamma
        if scale is None:
            known = [size for size in sizes if isinstance(size, int)]
            if len(known) < len(sizes):
                # The operator needs a scale of the sizes of the axes; there is no beta either.
                axes = range(first, first + len(sizes))
                offset = centred(op, x, axes)
                return over_root_mean_square(op, offset, offset, axes, self.epsilon)
            scale = op.constant(np.ones(known, dtype_name(x)), "ones")
        weights = [scale] if self.beta is None else [scale, self.beta]
        if not training or dtype_name(x) != "float32":
            return op.LayerNormalization(x, *weights, axis=first, epsilon=self.epsilon)
        # The gradient needs mean and deviation, which the operator gives in float32; without them
        # it would compute the node once more.
        y, _, _ = op.LayerNormalization(x, *weights, axis=first, epsilon=self.epsilon, _outputs=3)
        return y
