"""Layers that only change the shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import FIRST, check_data_format, from_channels_first
from seqonnx.ops.window import shown_shape


@register("layer")
class Flatten(Layer):
    """(batch, …) to (batch, size).

    Args:
        data_format: `"channels_last"` (default) or `"channels_first"`: these are moved to the end
            before flattening, so that both give the same order.
        **kwargs: see `Layer`.

    Example:
        >>> Flatten()([[[1.0], [2.0]]]).tolist()
        [[1.0, 2.0]]
    """

    data_format: Setting[str] = Setting(until_built=True)

    def __init__(self, data_format: str | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.data_format = check_data_format(data_format)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a Flatten."""
        if self.data_format == FIRST and len(static_shape(x)) > 2:
            x = from_channels_first(op, x)
        return op.Flatten(x, axis=1)


@register("layer")
class Reshape(Layer):
    """`(batch, …)` to `(batch, *target_shape)`.

    Args:
        target_shape: sizes without the batch; one of them may be -1, which means the rest.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if the sizes do not fit the input.

    Example:
        >>> Reshape((2, -1))([[1.0, 2.0, 3.0, 4.0]]).tolist()
        [[[1.0, 2.0], [3.0, 4.0]]]
    """

    target_shape: Setting[tuple[int, ...]] = Setting(until_built=True)

    def __init__(self, target_shape: int | Sequence[int], **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        target_shape = plain_value(target_shape)
        sizes = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        if sizes.count(-1) > 1:
            raise ValueError(
                "The `target_shape` of a Reshape layer may hold -1 once. "
                f"Received: target_shape={sizes}"
            )
        self.target_shape = sizes

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a Reshape; -1 is worked out here where the input's size is known."""
        return op.Reshape(x, [0, *self._resolve(shown_shape(static_shape(x)[1:]))])

    def _resolve(self, shape: tuple[int | None, ...]) -> tuple[int, ...]:
        """The target without -1, checked, where the input's size is known."""
        known = [d for d in shape if d is not None]
        if len(known) < len(shape):
            return self.target_shape
        size, given = math.prod(known), math.prod(d for d in self.target_shape if d != -1)
        rest = size // given if given > 0 else 0
        target = tuple(rest if d == -1 else d for d in self.target_shape)
        if math.prod(target) != size:
            raise ValueError(
                "The total size of the tensor must be unchanged. Received: "
                f"input_shape={shape}, target_shape={self.target_shape}"
            )
        return target
