"""UpSampling: every step, pixel or cell several times, or what lies between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import InputSpec, Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.channels import (
    LAST,
    check_data_format,
    from_channels_first,
    to_channels_first,
)
from seqonnx.ops.window import integers

_MODES: Final[dict[str, dict[str, Any]]] = {
    "nearest": {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    },
    "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    "bicubic": {
        "mode": "cubic",
        "coordinate_transformation_mode": "half_pixel",
        "cubic_coeff_a": -0.5,
        "exclude_outside": 1,
    },
}
"""Attributes of Resize for each interpolation."""


def _interpolation(value: Any) -> str:
    """An interpolation in lower case, checked."""
    chosen = value.lower() if isinstance(value, str) else value
    if chosen in {"lanczos3", "lanczos5"}:
        raise ValueError(
            "ONNX's Resize has no Lanczos interpolation. Use one of "
            f"{tuple(_MODES)}. Received: interpolation={value}"
        )
    if chosen not in _MODES:
        raise ValueError(
            "Invalid value for argument `interpolation`. Expected of one "
            f"{tuple(_MODES)}. Received: interpolation={value}"
        )
    return str(chosen)


def _resized(
    op: Emitter, x: ir.Value, size: Sequence[int], data_format: str, interpolation: str
) -> ir.Value:
    """Emit a Resize, on the layout that it is fast in: channels before space."""
    last = data_format == LAST
    scales = np.array([1, 1, *size], np.float32)
    y = op.Resize(to_channels_first(op, x) if last else x, None, scales, **_MODES[interpolation])
    return from_channels_first(op, y) if last else y


@register("layer")
class UpSampling1D(Layer):
    """Repeats every step: (batch, steps, channels) to (batch, steps * size, channels).

    Args:
        size: how often.
        **kwargs: see `Layer`.

    Raises:
        TypeError: if `size` is not an integer.
        ValueError: if it is not positive.

    Example:
        >>> UpSampling1D(2)([[[1.0], [2.0]]]).tolist()
        [[[1.0], [1.0], [2.0], [2.0]]]
    """

    size: Setting[int] = Setting(until_built=True)

    def __init__(self, size: int = 2, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        if isinstance(size, bool) or not isinstance(size, int | np.integer):
            raise TypeError(f"Expected an integer value for `size`, got {type(size)}.")
        if size <= 0:
            raise ValueError(f"Argument `size` should be a positive integer. Received: size={size}")
        self.size = int(size)
        self.input_spec = InputSpec(ndim=3)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a Resize."""
        return _resized(op, x, [self.size], LAST, "nearest")


@register("layer")
class UpSampling2D(Layer):
    """Makes images larger by whole numbers.

    Args:
        size: how many times as many rows and columns; one int for both.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        interpolation: `"nearest"` repeats pixels; `"bilinear"` weighs the two nearest along each
            axis, `"bicubic"` the four nearest by the cubic convolution of Keys (1981) with
            a = -0.5, without those outside the image, as TensorFlow and JAX do.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal, or ONNX has no such interpolation.

    Example:
        >>> UpSampling2D((1, 2))([[[[1.0], [2.0]]]]).tolist()
        [[[[1.0], [1.0], [2.0], [2.0]]]]
    """

    size: Setting[tuple[int, ...]] = Setting(until_built=True)
    data_format: Setting[str] = Setting(until_built=True)
    interpolation: Setting[str] = Setting(_interpolation)

    def __init__(
        self,
        size: int | Sequence[int] = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = check_data_format(data_format)
        self.size = integers(size, 2, "size")
        self.interpolation = interpolation
        self.input_spec = InputSpec(ndim=4)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a Resize."""
        return _resized(op, x, self.size, self.data_format, self.interpolation)


@register("layer")
class UpSampling3D(Layer):
    """Repeats every cell of a volume along each axis.

    Args:
        size: how often along each axis; one int for all.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> UpSampling3D(2)(np.zeros((1, 2, 3, 4, 1))).shape
        (1, 4, 6, 8, 1)
    """

    size: Setting[tuple[int, ...]] = Setting(until_built=True)
    data_format: Setting[str] = Setting(until_built=True)

    def __init__(
        self,
        size: int | Sequence[int] = (2, 2, 2),
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = check_data_format(data_format)
        self.size = integers(size, 3, "size")
        self.input_spec = InputSpec(ndim=5)

    def call(self, op: Emitter, x: ir.Value, training: bool) -> ir.Value:
        """Emit a Resize."""
        return _resized(op, x, self.size, self.data_format, "nearest")
