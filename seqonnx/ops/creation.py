"""Tensors that are made of a number, of a rule, or of what another has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import defaults, dtypes
from seqonnx.dtypes import plain_value
from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.promotion import floats, promoted, result_type, tensor
from seqonnx.ops.shaping import ordered
from seqonnx.ops.sizes import counted, expanded, given_sizes, rank_of, sizes_in, sizes_of
from seqonnx.tensor_function import tensor_function


@tensor_function()
def full(op: Emitter, shape: Any, fill_value: Any, dtype: Any = None) -> ir.Value:
    """Return a tensor that is full of a number.

    Args:
        shape: its sizes.
        fill_value: the number, or a tensor that is broadcast.
        dtype: dtype; default: that of the number.

    Example:
        >>> full((2,), 3.0).tolist()
        [3.0, 3.0]
    """
    return expanded(op, _cast(op, tensor(op, fill_value), dtype), sizes_in(op, shape))


@tensor_function("empty")
def zeros(op: Emitter, shape: Any, dtype: Any = None) -> ir.Value:
    """Return zeros, `config.floatx()` unless a dtype is given."""
    return full(op, shape, 0.0, defaults.floatx() if dtype is None else dtype)


@tensor_function()
def ones(op: Emitter, shape: Any, dtype: Any = None) -> ir.Value:
    """Return ones, `config.floatx()` unless a dtype is given."""
    return full(op, shape, 1.0, defaults.floatx() if dtype is None else dtype)


@tensor_function()
def full_like(op: Emitter, x: Any, fill_value: Any, dtype: Any = None) -> ir.Value:
    """Return a tensor of the shape, and unless one is given the dtype, of x, full of a number."""
    x = tensor(op, x)
    value = _cast(op, tensor(op, fill_value), dtype_name(x) if dtype is None else dtype)
    return expanded(op, value, sizes_of(x))


@tensor_function("empty_like")
def zeros_like(op: Emitter, x: Any, dtype: Any = None) -> ir.Value:
    """Return zeros of the shape, and unless one is given the dtype, of x."""
    return full_like(op, x, 0, dtype)


@tensor_function()
def ones_like(op: Emitter, x: Any, dtype: Any = None) -> ir.Value:
    """Return ones of the shape, and unless one is given the dtype, of x."""
    return full_like(op, x, 1, dtype)


@tensor_function()
def arange(
    op: Emitter, start: Any, stop: Any = None, step: Any = None, dtype: Any = None
) -> ir.Value:
    """Return numbers from `start` to below `stop`.

    Args:
        start: the first; `stop`, with 0 as the first, where that is not given.
        stop: the end.
        step: distance of neighbours; default 1.
        dtype: dtype; default: that of the numbers.

    Example:
        >>> arange(1, 7, 2).tolist()
        [1, 3, 5]
    """
    given = [part for part in (start, stop, step) if part is not None]
    wanted = result_type(*given) if dtype is None else dtypes.standardize(dtype)
    first, end = (0, start) if stop is None else (start, stop)
    by = 1 if step is None else step
    if not any(isinstance(part, ir.Value) for part in (first, end, by)):
        return op.constant(np.arange(first, end, by, dtype=wanted))
    inside = wanted if wanted in {"int32", "int64", "float32", "float64"} else "float32"
    parts = [op.cast(tensor(op, part, inside), inside) for part in (first, end, by)]
    return op.cast(op.Range(*parts), wanted)


@tensor_function()
def eye(op: Emitter, N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> ir.Value:  # noqa: N803 - Keras's names
    """Return a matrix with ones on a diagonal, zeros elsewhere.

    Args:
        N: rows.
        M: columns; default: as many.
        k: the diagonal: above the main one if positive.
        dtype: dtype; default `config.floatx()`.
    """
    distance = _distance(op, N, M)
    return _cast(op, op.Equal(distance, k), defaults.floatx() if dtype is None else dtype)


@tensor_function()
def identity(op: Emitter, n: Any, dtype: Any = None) -> ir.Value:
    """Return a square matrix with ones on the main diagonal."""
    return eye(op, n, None, 0, dtype)


@tensor_function()
def tri(op: Emitter, N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> ir.Value:  # noqa: N803 - Keras's names
    """Return a matrix with ones on and below a diagonal; arguments as those of `eye`."""
    distance = _distance(op, N, M)
    return _cast(op, op.LessOrEqual(distance, k), defaults.floatx() if dtype is None else dtype)


@tensor_function()
def linspace(
    op: Emitter,
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return numbers at equal distances.

    Args:
        start: the first, or a tensor of them.
        stop: the last, or the end where `endpoint` is False.
        num: how many.
        endpoint: whether `stop` is the last.
        retstep: also return the distance.
        dtype: dtype; default `config.floatx()`.
        axis: the new axis in the result, where start and stop are tensors.
    """
    first, last = floats(op, start, stop)
    parts = num - 1 if endpoint else num
    share = np.arange(num) / max(parts, 1)
    rank = max(rank_of(first), rank_of(last))
    share = share.reshape(-1, *[1] * rank).astype(np.float32)
    at = op.cast(op.constant(share), dtype_name(first))
    line = op.Add(op.Mul(op.Sub(1.0, at), first), op.Mul(at, last))
    if rank > 0 and axis != 0:
        order = list(range(1, rank + 1))
        order.insert(axis % (rank + 1), 0)
        line = ordered(op, line, order)
    line = _cast(op, line, dtype)
    if not retstep:
        return line
    step = op.Mul(op.Sub(last, first), 1.0 / parts if parts > 0 else math.nan)
    return line, step


@tensor_function()
def logspace(
    op: Emitter,
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: Any = None,
    axis: int = 0,
) -> ir.Value:
    """Return powers of a base whose exponents are at equal distances; see `linspace`."""
    line = linspace(op, start, stop, num, endpoint, axis=axis)
    return _cast(op, op.Exp(op.Mul(line, math.log(base))), dtype)


@tensor_function()
def geomspace(
    op: Emitter,
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> ir.Value:
    """Return numbers each of which is the one before times the same factor; see `linspace`."""
    first, last = floats(op, start, stop)
    low, high = op.Log(op.Abs(first)), op.Log(op.Abs(last))
    line = op.Exp(linspace(op, low, high, num, endpoint, axis=axis))
    return _cast(op, op.Mul(line, op.Sign(first)), dtype)


@tensor_function()
def vander(op: Emitter, x: Any, N: int | None = None, increasing: bool = False) -> ir.Value:  # noqa: N803 - Keras's names
    """Return the powers of each number of a vector, one row for each.

    Args:
        x: vector.
        N: how many powers; default: as many as numbers.
        increasing: whether the power 0 comes first.
    """
    x = tensor(op, x)
    (count,) = sizes_of(x) if N is None else [N]
    if not isinstance(count, int):
        raise ValueError("`vander` must know how many powers there are: give `N`.")
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    base = op.Unsqueeze(x, [1])
    given = dtype_name(x)
    return op.cast(op.Pow(*promoted(op, base, powers.astype(given).copy())), given)


def _distance(op: Emitter, rows: Any, columns: Any) -> ir.Value:
    """The number of each column minus that of the row."""
    (n,) = given_sizes(rows)
    (m,) = (n,) if columns is None else given_sizes(columns)
    return op.Sub(counted(op, m), op.Unsqueeze(counted(op, n), [1]))


def _cast(op: Emitter, x: ir.Value, dtype: Any) -> ir.Value:
    return x if dtype is None else op.cast(x, dtypes.standardize(plain_value(dtype)))
