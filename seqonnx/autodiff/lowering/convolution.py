"""A convolution whose gradients are wanted: the place at which their forms are chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from seqonnx.autodiff.idioms.window import Window
from seqonnx.graph import static_shape

FEW_CHANNELS = 8
"""Up to this many channels a gather of rows beats a gather of pixels, and for the gradient of the
input ConvTranspose beats a convolution, which would have as few filters."""


@dataclass(frozen=True)
class DifferentiatedConvolution:
    """A convolution, or a ConvTranspose read from its output to its input.

    Args:
        x: what the window slides over, (batch, channels, spatial axes).
        w: the weights, (filters, channels / group, kernel axes).
        dy: the gradient of the convolution, (batch, filters, spatial axes).
        window: the geometry.
        group: number of groups.
    """

    x: ir.Value
    w: ir.Value
    dy: ir.Value
    window: Window
    group: int

    @property
    def batch(self) -> int | None:
        """Number of images, None where it is not known."""
        batch = static_shape(self.dy)[0]
        return batch if isinstance(batch, int) else None

    @property
    def channels(self) -> int:
        """Number of channels of `x`, 0 where it is not known."""
        return _channels(self.x)

    @property
    def filters(self) -> int:
        """Number of channels of `dy`, 0 where it is not known."""
        return _channels(self.dy)

    @property
    def places(self) -> int:
        """Number of places of the window."""
        return math.prod(self.window.small_sizes or ())

    @property
    def is_known(self) -> bool:
        """Whether all sizes but that of the batch are known."""
        sizes = self.window.large_sizes, self.window.small_sizes
        return min(self.channels, self.filters) > 0 and None not in sizes

    @property
    def is_pointwise(self) -> bool:
        """Whether all sizes are known and each output sees one pixel, with all its channels."""
        window = self.window
        padded = any(window.before + window.after)
        return self.is_known and self.group == 1 and max(window.kernel) == 1 and not padded

    @property
    def is_depthwise(self) -> bool:
        """Whether all sizes are known and each filter sees a window of a channel of its own."""
        alone = self.group == self.channels == self.filters
        return self.is_known and alone and not self.is_pointwise


def _channels(value: ir.Value) -> int:
    channels = static_shape(value)[1]
    return channels if isinstance(channels, int) else 0
