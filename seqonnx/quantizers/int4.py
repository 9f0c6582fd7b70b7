"""Integers of 4 bits, two of them in a byte; and blocks of them with a scale and a zero each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.promotion import floating
from seqonnx.ops.sizes import axis_of
from seqonnx.quantizers.quantizer import on_arrays
from seqonnx.tensor_function import tensor_function


@tensor_function(kind="quantization")
def pack_int4(
    op: Emitter, arr: ir.Value, axis: int = 0, dtype: str = "int8"
) -> tuple[ir.Value, tuple[int, ...], int]:
    """Return bytes that hold two integers of 4 bits each: the earlier one in the lower half.

    Args:
        arr: integers from -8 to 7, of `dtype`.
        axis: the axis along which pairs are taken; an odd one gets a 0 more.
        dtype: `"int8"` or `"uint8"`.

    Returns:
        The bytes, their shape, and the length of the axis before.

    Raises:
        ValueError: for another `dtype`.
        TypeError: if the integers are not of it.

    Example:
        >>> packed, shape, length = pack_int4(np.array([[-3, 7], [2, -8], [1, 0]], np.int8))
        >>> packed.tolist(), shape, length
        ([[45, -121], [1, 0]], (2, 2), 3)
    """
    _check_dtype(dtype)
    if dtype_name(arr) != dtype:
        raise TypeError(f"Expected {dtype} tensor for packing, got {dtype_name(arr)}.")
    sizes = [int(size) for size in static_shape(arr) if size is not None]
    at = axis_of(axis, len(sizes))
    halves = op.Mod(op.cast(arr, "int32"), np.int32(16))
    if sizes[at] % 2 == 1:
        ends = [0] * len(sizes)
        halves = op.Pad(halves, [*ends, *(int(i == at) for i in range(len(sizes)))], np.int32(0))
    early = op.Slice(halves, [0], [2**31 - 1], [at], [2])
    late = op.Slice(halves, [1], [2**31 - 1], [at], [2])
    made = op.Add(early, op.Mul(late, np.int32(16)))
    if dtype == "int8":
        made = op.Sub(
            made, op.Mul(op.cast(op.Greater(made, np.int32(127)), "int32"), np.int32(256))
        )
    packed = tuple(math.ceil(n / 2) if i == at else n for i, n in enumerate(sizes))
    return op.cast(made, dtype), packed, sizes[at]


@tensor_function(kind="quantization")
def unpack_int4(
    op: Emitter, packed: ir.Value, orig_len: int, axis: int = 0, dtype: str = "int8"
) -> ir.Value:
    """Return the integers of 4 bits that bytes hold; see `pack_int4`.

    Args:
        packed: int8 or uint8.
        orig_len: length of the axis before it was packed.
        axis: the axis along which pairs were taken.
        dtype: `"int8"` for integers from -8 to 7, `"uint8"` for 0 to 15.

    Raises:
        ValueError: for another `dtype`.
        TypeError: if what is packed is no bytes.

    Example:
        >>> unpack_int4(np.array([[45, -121], [1, 0]], np.int8), 3).tolist()
        [[-3, 7], [2, -8], [1, 0]]
    """
    _check_dtype(dtype)
    if dtype_name(packed) not in {"int8", "uint8"}:
        raise TypeError(f"Expected int8 or uint8 tensor for unpacking, got {dtype_name(packed)}.")
    numbers = emit_unpacked(op, op.cast(packed, "float32"), orig_len, axis, dtype == "int8")
    return op.cast(numbers, dtype)


def emit_unpacked(
    op: Emitter, x: ir.Value, length: int, axis: int, signed: bool = True
) -> ir.Value:
    """Emit what bytes hold, from the bytes as float32 to the integers as float32.

    Args:
        op: emitter of the graph.
        x: the bytes.
        length: see `unpack_int4`.
        axis: see `unpack_int4`.
        signed: whether the integers are from -8 to 7.
    """
    rank = len(static_shape(x))
    at = axis_of(axis, rank)
    high = op.Floor(op.Div(x, np.float32(16)))
    low = op.Sub(x, op.Mul(high, np.float32(16)))
    halves = op.Concat(*(op.Unsqueeze(part, [at + 1]) for part in (low, high)), axis=at + 1)
    if signed:
        above = op.Greater(halves, np.float32(7))
        halves = op.Where(above, op.Sub(halves, np.float32(16)), halves)
    shape = op.Shape(x)
    sizes: list[Any] = [
        *([op.Slice(shape, [0], [at])] if at > 0 else []),
        np.array([-1], np.int64),
        *([op.Slice(shape, [at + 1], [rank])] if at + 1 < rank else []),
    ]
    joined = op.Reshape(halves, sizes[0] if rank == 1 else op.Concat(*sizes, axis=0))
    result: ir.Value = op.Slice(joined, [0], [length], [at])
    return result


@tensor_function(kind="quantization")
def abs_max_quantize_grouped_with_zero_point(
    op: Emitter,
    inputs: ir.Value,
    block_size: int,
    value_range: tuple[int, int] = (-8, 7),
    dtype: str = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return integers in blocks of rows, with a scale and a zero for each block of a column.

    round(inputs / scale) + zero, where a block's smallest and largest number become the ends of
    the range; a last block that is not whole counts zeros, too.

    Args:
        inputs: matrix of floating-point numbers (rows, columns).
        block_size: rows in a block.
        value_range: the smallest and the largest integer.
        dtype: dtype of the integers.
        epsilon: keeps the scale of equal numbers above 0.
        to_numpy: whether the inputs must be an array, and are computed at once.

    Returns:
        Integers of the shape of the inputs; scales and zeros (int8), (blocks, columns).

    Raises:
        ValueError: for `to_numpy` in a trace.

    Example:
        >>> integers, scale, zero = abs_max_quantize_grouped_with_zero_point([[0.0], [1.5]], 2)
        >>> integers.tolist(), scale.round(2).tolist(), zero.tolist()
        ([[-8], [7]], [[0.1]], [[-8]])
    """
    on_arrays("abs_max_quantize_grouped_with_zero_point", to_numpy)
    x = floating(op, inputs)
    wide = op.cast(x, dtypes.widened(dtype_name(x)))
    rows, columns = (int(size) for size in static_shape(wide) if size is not None)
    blocks = math.ceil(rows / block_size)
    more = blocks * block_size - rows
    padded = op.Pad(wide, [0, 0, more, 0], op.CastLike(0.0, wide)) if more > 0 else wide
    grouped = op.Reshape(padded, [blocks, block_size, columns])
    low, high = (float(end) for end in value_range)
    smallest = op.ReduceMin(grouped, [1], keepdims=1)
    span = op.Sub(op.ReduceMax(grouped, [1], keepdims=1), smallest)
    scale = op.Div(op.Add(span, epsilon), high - low)
    ends = op.CastLike(low, wide), op.CastLike(high, wide)
    zero = op.Clip(op.Add(op.Round(op.Div(op.Neg(smallest), scale)), low), *ends)
    whole = op.Clip(op.Add(op.Round(op.Div(grouped, scale)), zero), *ends)
    integers = op.Slice(op.Reshape(whole, [blocks * block_size, columns]), [0], [rows], [0])
    squeezed = [op.Squeeze(part, [1]) for part in (scale, zero)]
    return (
        op.cast(integers, dtypes.standardize(dtype)),
        op.cast(squeezed[0], dtype_name(x)),
        op.cast(squeezed[1], "int8"),
    )


def _check_dtype(dtype: str) -> None:
    if dtype not in ("int8", "uint8"):
        raise ValueError(f"Expected dtype to be 'int8' or 'uint8', but got '{dtype}'.")
