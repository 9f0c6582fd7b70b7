"""Classes as vectors, and counts: one place for each class, each segment, each bin."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name, ir_dtype
from seqonnx.ops.creation import linspace
from seqonnx.ops.promotion import floating, tensor
from seqonnx.ops.reading import places
from seqonnx.ops.reduction import amax, amin, max, reduced
from seqonnx.ops.sizes import (
    Size,
    axis_of,
    counted,
    expanded,
    given_sizes,
    rank_of,
    reshaped,
    sizes_of,
)
from seqonnx.ops.writing import merged
from seqonnx.tensor_function import tensor_function


@tensor_function()
def one_hot(
    op: Emitter,
    x: Any,
    num_classes: Any,
    axis: int = -1,
    dtype: Any = None,
    sparse: bool = False,
) -> ir.Value:
    """Return a 1 at the place of each class, 0 at all others.

    Args:
        x: classes, integers; a class that there is not gives zeros.
        num_classes: how many classes there are.
        axis: the axis of the classes in the result.
        dtype: dtype; default float32.
        sparse: must be False: ONNX has no sparse tensors at run time.

    Raises:
        ValueError: if `sparse` is True.

    Example:
        >>> one_hot([0, 2], 3).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    _check_dense(sparse)
    x = places(op, x)
    rank = rank_of(x) + 1
    at = axis_of(axis, rank)
    (count,) = given_sizes(num_classes)
    classes = counted(op, count, dtype_name(x))
    shaped = reshaped(op, classes, [-1 if i == at else 1 for i in range(rank)])
    hits = op.Equal(op.Unsqueeze(x, [at]), shaped)
    return op.cast(hits, dtypes.standardize(dtype))


@tensor_function()
def multi_hot(
    op: Emitter,
    inputs: Any,
    num_classes: Any = None,
    axis: int = -1,
    dtype: Any = None,
    sparse: bool = False,
    **kwargs: Any,
) -> ir.Value:
    """Return a 1 at the place of each class that a sample has, 0 at all others.

    Args:
        inputs: classes of each sample, `(batch, classes of a sample)`, or of one sample.
        num_classes: how many classes there are.
        axis: the axis of the classes in the result.
        dtype: dtype; default float32.
        sparse: must be False.
        **kwargs: `num_tokens`, an old name of `num_classes`.

    Raises:
        ValueError: if `sparse` is True, or the number of classes is missing.
    """
    count = kwargs.pop("num_tokens", num_classes)
    if count is None or len(kwargs) > 0:
        raise ValueError(
            f"`multi_hot` needs `num_classes`. Received: num_classes={count}, {kwargs}"
        )
    hits = one_hot(op, inputs, count, axis, dtype, sparse)
    return amax(op, hits, 1 if rank_of(tensor(op, inputs)) > 1 else 0)


@tensor_function()
def bincount(
    op: Emitter, x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False
) -> ir.Value:
    """Return how often each number comes.

    Args:
        x: integers from 0 on, a vector or the rows of a matrix.
        weights: what each counts; default 1.
        minlength: at least so many counts.
        sparse: must be False.

    Raises:
        ValueError: if `sparse` is True.
    """
    _check_dense(sparse)
    x = places(op, x)
    count = op.cast(op.Add(max(op, x, None, False, -1), 1), "int64")
    count = op.Max(count, np.array(minlength, np.int64))
    wanted = "int32" if weights is None else dtype_name(tensor(op, weights))
    hits = one_hot(op, x, count, -1, wanted)
    if weights is not None:
        hits = op.Mul(hits, op.Unsqueeze(tensor(op, weights), [-1]))
    return op.ReduceSum(hits, [-2], keepdims=0)


@tensor_function()
def histogram(op: Emitter, x: Any, bins: int = 10, range: Any = None) -> tuple[ir.Value, ir.Value]:
    """Return how many numbers lie in each of some bins of equal width, and their bounds.

    Args:
        x: tensor.
        bins: how many bins.
        range: smallest and largest number that count; default: those of x.

    Raises:
        ValueError: if there is no bin, or the range is not two numbers in order.
    """
    if not isinstance(bins, int) or bins < 1:
        raise ValueError(f"Argument `bins` should be a non-negative integer. Received: bins={bins}")
    if range is not None and (len(range) != 2 or range[0] > range[1]):
        raise ValueError(
            f"Argument `range` must be two numbers, the smaller one first. Received: range={range}"
        )
    x = reshaped(op, floating(op, x), [-1])
    low, high = (amin(op, x), amax(op, x)) if range is None else range
    bounds = linspace(op, low, high, bins + 1)
    each = op.Unsqueeze(x, [1])
    starts, ends = op.Slice(bounds, [0], [-1], [0]), op.Slice(bounds, [1], [bins + 1], [0])
    last = op.constant(np.arange(bins) == bins - 1)
    below = op.Or(op.Less(each, ends), op.And(last, op.Equal(each, ends)))
    inside = op.And(op.GreaterOrEqual(each, starts), below)
    return op.ReduceSum(op.cast(inside, dtype_name(x)), [0], keepdims=0), bounds


@tensor_function()
def segment_sum(
    op: Emitter,
    data: Any,
    segment_ids: Any,
    num_segments: Any = None,
    sorted: bool = False,
) -> ir.Value:
    """Return the sum of the parts of each segment.

    Args:
        data: parts, along the first axis.
        segment_ids: the segment of each, integers from 0 on.
        num_segments: how many segments there are; default: the largest and one.
        sorted: a hint that changes nothing here.

    Example:
        >>> segment_sum([1.0, 2.0, 4.0], [0, 1, 0]).tolist()
        [5.0, 2.0]
    """
    return _by_segment(op, data, segment_ids, num_segments, "add")


@tensor_function()
def segment_prod(
    op: Emitter,
    data: Any,
    segment_ids: Any,
    num_segments: Any = None,
    sorted: bool = False,
) -> ir.Value:
    """Return the product of the parts of each segment; arguments as those of `segment_sum`."""
    return _by_segment(op, data, segment_ids, num_segments, "mul")


@tensor_function()
def segment_max(
    op: Emitter,
    data: Any,
    segment_ids: Any,
    num_segments: Any = None,
    sorted: bool = False,
) -> ir.Value:
    """Return the largest part of each segment; arguments as those of `segment_sum`."""
    return _by_segment(op, data, segment_ids, num_segments, "max")


@tensor_function()
def segment_min(
    op: Emitter,
    data: Any,
    segment_ids: Any,
    num_segments: Any = None,
    sorted: bool = False,
) -> ir.Value:
    """Return the smallest part of each segment; arguments as those of `segment_sum`."""
    return _by_segment(op, data, segment_ids, num_segments, "min")


def _by_segment(
    op: Emitter, data: Any, segment_ids: Any, num_segments: Any, reduction: str
) -> ir.Value:
    data, ids = tensor(op, data), op.cast(tensor(op, segment_ids), "int64")
    if num_segments is None:
        count: Size = op.Add(reduced(op, "ReduceMax", ids), 1)
    else:
        (count,) = given_sizes(num_segments)
    start = op.constant(_neutral(dtype_name(data), reduction))
    empty = expanded(op, start, [count, *sizes_of(data)[1:]])
    return merged(op, empty, op.Unsqueeze(ids, [-1]), data, reduction)


def _neutral(dtype: str, reduction: str) -> Any:
    """The number that a reduction starts from."""
    if reduction in {"add", "mul"}:
        return np.array(reduction == "mul", dtype)
    sign = -1 if reduction == "max" else 1
    if dtypes.is_float(dtype):
        return np.array(sign * np.inf, ir_dtype(dtype).numpy())
    limits = np.iinfo(dtype)
    return np.array(limits.min if reduction == "max" else limits.max, dtype)


def _check_dense(sparse: bool) -> None:
    if sparse:
        raise ValueError(
            "ONNX graphs hold no sparse tensors. Received: sparse=True. Leave the argument out."
        )
