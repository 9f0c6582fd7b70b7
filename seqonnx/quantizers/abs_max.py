"""Symmetric quantisation: the largest absolute number becomes the largest integer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.catalogue import register
from seqonnx.graph import Emitter, dtype_name
from seqonnx.graph.reading import STOP_GRADIENT
from seqonnx.ops.promotion import floating
from seqonnx.quantizers.quantizer import Quantizer, on_arrays
from seqonnx.tensor_function import tensor_function

Axes = int | Sequence[int] | None


@tensor_function(kind="quantization")
def abs_max_quantize(
    op: Emitter,
    inputs: ir.Value,
    axis: Axes,
    value_range: tuple[int, int] = (-127, 127),
    dtype: str = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[ir.Value, ir.Value]:
    """Return integers, and the scale that they were multiplied by.

    round(inputs * scale), where scale = largest integer / (largest absolute number + epsilon).

    Args:
        inputs: tensor of floating-point numbers.
        axis: axis or axes that share a scale; None: all.
        value_range: the smallest and the largest integer.
        dtype: dtype of the integers.
        epsilon: keeps the scale of zeros finite.
        to_numpy: whether the inputs must be arrays, and are computed at once.

    Returns:
        Integers of the shape of the inputs; scales, of size 1 along `axis`.

    Raises:
        ValueError: for `to_numpy` in a trace.

    Example:
        >>> integers, scale = abs_max_quantize([[1.0, -2.0]], axis=-1)
        >>> integers.tolist(), scale.round(2).tolist()
        ([[64, -127]], [[63.5]])
    """
    on_arrays("abs_max_quantize", to_numpy)
    x = floating(op, inputs)
    wide = op.cast(x, dtypes.widened(dtype_name(x)))
    scale = op.cast(emit_scale(op, wide, axis, value_range, epsilon), dtype_name(x))
    rounded = op.Round(op.Mul(wide, op.cast(scale, dtype_name(wide))))
    low, high = (float(end) for end in value_range)
    limited = op.Clip(rounded, op.CastLike(low, wide), op.CastLike(high, wide))
    return op.cast(limited, dtypes.standardize(dtype)), scale


def emit_scale(
    op: Emitter, x: ir.Value, axis: Axes, value_range: tuple[int, int], epsilon: float
) -> ir.Value:
    """Emit the scale of `abs_max_quantize`."""
    axes = None if axis is None else [axis] if isinstance(axis, int) else list(axis)
    largest = op.ReduceMax(op.Abs(x), axes, keepdims=1)
    result: ir.Value = op.Div(float(value_range[1]), op.Add(largest, epsilon))
    return result


@register("quantizer", "abs_max_quantizer")
class AbsMaxQuantizer(Quantizer):
    """Quantises by the largest absolute number (see `abs_max_quantize`).

    Args:
        axis: axis or axes that share a scale, where the call names none; default the last.
        value_range: the smallest and the largest integer.
        epsilon: keeps the scale of zeros finite.
        output_dtype: dtype of the integers.

    Raises:
        ValueError: if the range is not one of int8, where that is the dtype.

    Example:
        >>> integers, scale = AbsMaxQuantizer()([[0.5, 1.0]])
        >>> integers.tolist()
        [[64, 127]]
    """

    def __init__(
        self,
        axis: Axes = None,
        value_range: Sequence[int] = (-127, 127),
        epsilon: float = 1e-7,
        output_dtype: str = "int8",
    ) -> None:
        super().__init__(output_dtype)
        self.axis = None if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        low, high = (int(end) for end in value_range)
        self.value_range = (low, high)
        self.epsilon = epsilon
        if output_dtype == "int8" and (low < -128 or high > 127):
            raise ValueError(
                "Quantizer with output_dtype='int8' requires a value_range within the interval "
                f"[-128, 127]. Received: value_range={self.value_range}"
            )

    def __call__(self, x: Any, axis: Axes = None, to_numpy: bool = False) -> Any:
        """Return integers, and the scale that they were multiplied by.

        Args:
            x: tensor of floating-point numbers.
            axis: axis or axes that share a scale; default that of the constructor, or the last.
            to_numpy: see `abs_max_quantize`.
        """
        own = -1 if self.axis is None else self.axis
        return abs_max_quantize(
            x,
            own if axis is None else axis,
            self.value_range,
            self.output_dtype,
            self.epsilon,
            to_numpy,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config()
        return config if self.axis is not None else {k: config[k] for k in config if k != "axis"}

    def there_and_back(self, op: Emitter, x: ir.Value, axis: Axes) -> ir.Value:
        """Emit numbers rounded to the integers, with QuantizeLinear where they are int8.

        Its gradient goes straight through, and stops beyond what int8 has.
        """
        if self.output_dtype != "int8":
            return super().there_and_back(op, x, axis)
        wide = op.cast(x, dtypes.widened(dtype_name(x)))
        own = -1 if self.axis is None else self.axis
        scale = emit_scale(op, wide, own if axis is None else axis, self.value_range, self.epsilon)
        with op.scope(STOP_GRADIENT):
            scale = op.Identity(scale)
        numbers = op.Mul(wide, scale)
        if self.value_range[0] > -self.value_range[1]:
            low, high = (float(end) for end in self.value_range)
            numbers = op.Clip(numbers, op.CastLike(low, wide), op.CastLike(high, wide))
        one, zero = np.float32(1), np.int8(0)
        integers = op.QuantizeLinear(op.cast(numbers, "float32"), one, zero)
        back = op.cast(op.DequantizeLinear(integers, one, zero), dtype_name(wide))
        return op.cast(op.Div(back, scale), dtype_name(x))
