"""GroupNormalization: every group of channels to mean 0 and variance 1."""

from __future__ import annotations

import math
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.base import InputSpec
from seqonnx.layers.normalization.affine import AffineLayer, centred, over_root_mean_square
from seqonnx.layers.normalization.axes import along
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import from_channels_first, to_channels_first
from seqonnx.symbolic import Shape


def _groups(groups: Any) -> int:
    """The number of groups, checked."""
    if not isinstance(groups, int) or (groups <= 0 and groups != -1):
        raise ValueError(
            "Received an invalid value for argument `groups`, expected a positive integer (or "
            f"`-1` for instance normalization). Received: groups={groups}"
        )
    return groups


@register("layer")
class GroupNormalization(AffineLayer):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, within groups of channels.

    Mean and variance are those of all places of the channels of a group, for each example (Wu
    and He, 2018).

    Args:
        groups: number of groups; -1 for one of each channel (instance normalization). Once the
            layer is built, this is the number of channels.
        axis: axis of the channels.
        epsilon: added to the variance.
        center: whether beta is added.
        scale: whether gamma multiplies.
        beta_initializer: first beta, of shape (channels,).
        gamma_initializer: first gamma, of shape (channels,).
        beta_regularizer: penalty on beta.
        gamma_regularizer: penalty on gamma.
        beta_constraint: limits of beta.
        gamma_constraint: limits of gamma.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if `groups` is not a positive integer or -1, or the axis not an integer.

    Example:
        >>> GroupNormalization(2, epsilon=0.0)([[1.0, 3.0, 5.0, 9.0]]).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """

    groups: Setting[int] = Setting(_groups, until_built=True)
    axis: Setting[int] = Setting(until_built=True)

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
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
        axis = plain_value(axis)
        if not isinstance(axis, int):
            raise ValueError(f"Expected `axis` to be an integer. Received: axis={axis}")
        self.groups = groups
        self.axis = axis
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Shape) -> None:
        """Declare gamma and beta."""
        channels = self._channels(input_shape)
        if self.groups == -1:
            self.groups = channels
        if channels < self.groups:
            raise ValueError(
                f"Number of groups ({self.groups}) cannot be more than the number of channels "
                f"({channels})."
            )
        if channels % self.groups != 0:
            raise ValueError(
                f"Number of groups ({self.groups}) must be a multiple of the number of channels "
                f"({channels})."
            )
        if self.scale:
            self._add_gamma((channels,))
        if self.center:
            self._add_beta((channels,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def _channels(self, input_shape: Shape) -> int:
        rank = len(input_shape)
        if not -rank <= self.axis < rank or self.axis % rank == 0:
            raise ValueError(
                f"`axis` of layer '{self.name}' must be an axis of its input other than the "
                f"batch. Received: axis={self.axis}, input_shape={input_shape}"
            )
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"Axis {self.axis} of input tensor should have a defined dimension but the layer "
                f"received an input with shape {input_shape}."
            )
        return channels

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit reductions over the groups; the channels are moved to the front for that."""
        x = to_channels_first(op, x, self.axis)
        shape = static_shape(x)
        sizes = [size for size in shape[1:] if isinstance(size, int)]
        all_known = len(sizes) == len(shape) - 1
        rest = math.prod(sizes) // self.groups if all_known else -1
        grouped = centred(op, op.Reshape(x, [0, self.groups, rest]), [2])
        grouped = over_root_mean_square(op, grouped, grouped, [2], self.epsilon)
        y = op.Reshape(grouped, [0, *sizes] if all_known else op.Shape(x))
        if self.gamma is not None:
            y = op.Mul(y, along(op, self.gamma, [1], len(shape)))
        if self.beta is not None:
            y = op.Add(y, along(op, self.beta, [1], len(shape)))
        return from_channels_first(op, y, self.axis)
