"""Scales of 8-bit floating-point numbers, and numbers rounded to a dtype.

The scale follows a history of largest numbers, as in NVIDIA's Transformer Engine.
"""

from __future__ import annotations

from typing import Final

import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.promotion import floats
from seqonnx.tensor_function import tensor_function

_FLOAT8: Final = {
    "float8_e4m3fn": (ir.DataType.FLOAT8E4M3FN, 448.0),
    "float8_e5m2": (ir.DataType.FLOAT8E5M2, 57344.0),
}
"""The dtypes of 8 bits that the standard has, by NumPy's names, with their largest numbers."""


@tensor_function(kind="quantization")
def compute_float8_scale(
    op: Emitter, amax: ir.Value, scale: ir.Value, dtype_max: float, margin: int = 0
) -> ir.Value:
    """Return the scale with which the largest number seen becomes the largest of a dtype.

    Args:
        amax: the largest absolute number.
        scale: the scale so far, kept where `amax` is 0 or not finite.
        dtype_max: the largest number of the dtype.
        margin: powers of two that stay free.

    Example:
        >>> compute_float8_scale(224.0, 1.0, 448.0).tolist()
        0.5
    """
    amax, scale = floats(op, amax, scale)
    finite = op.Not(op.Or(op.IsNaN(amax), op.IsInf(amax)))
    seen = op.And(op.Greater(amax, op.CastLike(0.0, amax)), finite)
    new = op.Div(op.Mul(amax, float(2**margin)), float(dtype_max))
    result: ir.Value = op.Where(seen, new, scale)
    return result


@tensor_function(kind="quantization")
def compute_float8_amax_history(op: Emitter, x: ir.Value, amax_history: ir.Value) -> ir.Value:
    """Return the history moved on by one, with the largest absolute number of `x` first.

    Args:
        x: tensor.
        amax_history: vector.

    Example:
        >>> compute_float8_amax_history([-3.0, 1.0], [5.0, 2.0, 4.0]).tolist()
        [3.0, 4.0, 5.0]
    """
    largest = op.cast(op.ReduceMax(op.Abs(x), keepdims=0), dtype_name(amax_history))
    rest = op.Slice(amax_history, [2], [2**31 - 1], [0])
    oldest = op.Slice(amax_history, [0], [1], [0])
    moved = op.Concat(op.Unsqueeze(largest, [0]), rest, oldest, axis=0)
    return op.Slice(moved, [0], op.Shape(amax_history), [0])


@tensor_function(kind="quantization")
def quantize_and_dequantize(
    op: Emitter, inputs: ir.Value, scale: ir.Value, quantized_dtype: str, compute_dtype: str
) -> ir.Value:
    """Return numbers rounded to those that a floating-point dtype of 8 bits has.

    Args:
        inputs: tensor.
        scale: what the numbers are divided by before and multiplied by afterwards.
        quantized_dtype: `"float8_e4m3fn"` or `"float8_e5m2"`.
        compute_dtype: dtype of the result.

    Raises:
        ValueError: for another dtype.

    Example:
        >>> quantize_and_dequantize([1.03, 500.0], 1.0, "float8_e4m3fn", "float32").tolist()
        [1.0, 448.0]
    """
    name = str(getattr(quantized_dtype, "__name__", quantized_dtype))
    if name not in _FLOAT8:
        raise ValueError(
            f"`quantized_dtype` must be one of {', '.join(_FLOAT8)}. Received: {quantized_dtype!r}"
        )
    wanted = dtypes.standardize(compute_dtype)
    kind, largest = _FLOAT8[name]
    scale = op.cast(scale, wanted)
    x = op.Div(op.cast(inputs, wanted), scale)
    x = op.Clip(x, op.CastLike(-largest, x), op.CastLike(largest, x))
    back = op.cast(op.Cast(x, to=kind), wanted)
    result: ir.Value = op.Mul(back, scale)
    return result
