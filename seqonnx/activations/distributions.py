"""Activations whose outputs sum to 1 along an axis: softmax, its logarithm, and sparsemax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Dim, Emitter, dtype_name, static_shape
from seqonnx.tensor_function import tensor_function

Axes = int | Sequence[int] | None
"""An axis, or several that count as one; None stands for all of them."""


@tensor_function(kind="activation")
def softmax(op: Emitter, x: ir.Value, axis: Axes = -1) -> ir.Value:
    """Emit exp(x) divided by its sum along `axis`, or over several; the sum in at least float32."""
    given = dtype_name(x)
    wide = op.cast(x, dtypes.widened(given))
    if isinstance(axis, int | np.integer):
        y = op.Softmax(wide, axis=int(axis))
    else:
        y = op.Exp(_log_softmax_over(op, wide, axis))
    return op.cast(y, given)


@tensor_function(kind="activation")
def log_softmax(op: Emitter, x: ir.Value, axis: Axes = -1) -> ir.Value:
    """Emit the logarithm of the softmax along `axis`, or over several axes.

    The sum is one of at least float32.
    """
    given = dtype_name(x)
    wide = op.cast(x, dtypes.widened(given))
    if isinstance(axis, int | np.integer):
        y = op.LogSoftmax(wide, axis=int(axis))
    else:
        y = _log_softmax_over(op, wide, axis)
    return op.cast(y, given)


@tensor_function(kind="activation")
def sparsemax(op: Emitter, x: ir.Value, axis: int = -1) -> ir.Value:
    """Emit max(x - t, 0), where t makes the outputs sum to 1 (Martins and Astudillo, 2016).

    With z sorted downwards, the outputs that are not 0 are the first k, the largest number for
    which 1 + k z_k is above the sum of the first k; t is that sum less 1, over k.
    """
    given = dtype_name(x)
    x = op.cast(x, dtypes.widened(given))
    size, rank = static_shape(x)[axis], len(static_shape(x))
    after = rank - 1 - axis % rank
    count = np.asarray([size]) if isinstance(size, int) else _size_of(op, x, axis % rank)
    ranked, _ = op.TopK(x, count, axis=axis, _outputs=2)
    numbers = op.cast(_numbered(op, size, count), dtype_name(x))
    if after > 0:
        numbers = op.Unsqueeze(numbers, list(range(1, 1 + after)))
    total = op.CumSum(ranked, np.asarray(axis))
    supported = op.Greater(op.Add(op.Mul(ranked, numbers), 1.0), total)
    k = op.ReduceSum(op.cast(supported, dtype_name(x)), [axis], keepdims=1)
    largest = op.ReduceSum(op.Where(supported, ranked, 0.0), [axis], keepdims=1)
    y = op.Relu(op.Sub(x, op.Div(op.Sub(largest, 1.0), k)))
    return op.cast(y, given)


def _log_softmax_over(op: Emitter, x: ir.Value, axes: Sequence[int] | None) -> ir.Value:
    """The logarithm of the softmax over several axes that count as one."""
    listed = None if axes is None else [int(axis) for axis in axes]
    return op.Sub(x, op.ReduceLogSumExp(x, listed, keepdims=1))


def _size_of(op: Emitter, x: ir.Value, axis: int) -> ir.Value:
    """The size of an axis, as a vector of one number."""
    return op.Shape(x, start=axis, end=axis + 1)


def _numbered(op: Emitter, size: Dim, count: Any) -> ir.Value:
    """The numbers from 1 to the size of an axis."""
    if isinstance(size, int):
        return op.constant(np.arange(1, size + 1), "numbers")
    return op.Range(np.asarray(1), op.Add(op.Squeeze(count), np.asarray(1)), np.asarray(1))
