"""Reductions: one number for each line along the axes that vanish."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.arithmetic import maximum, minimum, subtract
from seqonnx.ops.promotion import floating, tensor, without_bool
from seqonnx.ops.sizes import axes_of, axis_of, product, rank_of, reshaped, scalar, sizes_of
from seqonnx.tensor_function import tensor_function

Axes = int | tuple[int, ...] | list[int] | None

_SUMMED_IN: Final = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "int32"} | {
    "uint16": "int32"
}
"""Dtypes of sums, where these are wider than the numbers."""
_COMPUTED_IN: Final = {
    **dict.fromkeys(("bool", "int16", "uint16"), "int32"),
    **dict.fromkeys(("uint32", "uint64"), "int64"),
    "bfloat16": "float32",
}
"""Dtypes that stand for those that ONNX Runtime does not reduce."""


def reduced(
    op: Emitter, operator: str, x: ir.Value, axis: Axes = None, keepdims: bool = False
) -> ir.Value:
    """Emit a reduction operator of ONNX.

    Args:
        op: emitter of the graph.
        operator: such as `"ReduceMax"`.
        x: a value.
        axis: axes that vanish; None: all.
        keepdims: whether they stay, with size 1.
    """
    if isinstance(axis, tuple | list) and len(axis) == 0:
        return x
    given = dtype_name(x)
    x = op.cast(x, _COMPUTED_IN.get(given, given))
    axes = None if axis is None else axes_of(axis, rank_of(x))
    inputs = [x] if axes is None else [x, axes]
    result: ir.Value = op.emit(operator, inputs, {"keepdims": int(keepdims)})
    return op.cast(result, given)


@tensor_function()
def sum(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the sum.

    Args:
        x: tensor.
        axis: axis or axes that vanish; None: all.
        keepdims: whether they stay, with size 1.

    Example:
        >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0).tolist()
        [4.0, 6.0]
    """
    x = tensor(op, x)
    given = dtype_name(x)
    return reduced(op, "ReduceSum", op.cast(x, _SUMMED_IN.get(given, given)), axis, keepdims)


@tensor_function()
def prod(
    op: Emitter,
    x: Any,
    axis: Axes = None,
    keepdims: bool = False,
    dtype: str | None = None,
) -> ir.Value:
    """Return the product.

    Args:
        x: tensor.
        axis: axis or axes that vanish; None: all.
        keepdims: whether they stay, with size 1.
        dtype: dtype of the result; default: that of x, of narrow integers int32.
    """
    x = tensor(op, x)
    given = dtype_name(x)
    wanted = _SUMMED_IN.get(given, given) if dtype is None else dtypes.standardize(dtype)
    return reduced(op, "ReduceProd", op.cast(x, wanted), axis, keepdims)


@tensor_function()
def mean(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the mean, a floating-point number also of integers.

    Args:
        x: tensor.
        axis: axis or axes that vanish; None: all.
        keepdims: whether they stay, with size 1.
    """
    return _in_float32(op, "ReduceMean", floating(op, x), axis, keepdims)


@tensor_function()
def max(
    op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False, initial: Any = None
) -> ir.Value:
    """Return the largest number.

    Args:
        x: tensor.
        axis: axis or axes that vanish; None: all.
        keepdims: whether they stay, with size 1.
        initial: a number that the result is not below.
    """
    found = reduced(op, "ReduceMax", tensor(op, x), axis, keepdims)
    if initial is None:
        return found
    return op.cast(maximum(op, found, initial), dtype_name(found))


@tensor_function()
def min(
    op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False, initial: Any = None
) -> ir.Value:
    """Return the smallest number; arguments as those of `max`."""
    found = reduced(op, "ReduceMin", tensor(op, x), axis, keepdims)
    if initial is None:
        return found
    return op.cast(minimum(op, found, initial), dtype_name(found))


@tensor_function()
def amax(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the largest number; arguments as those of `sum`."""
    return reduced(op, "ReduceMax", tensor(op, x), axis, keepdims)


@tensor_function()
def amin(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the smallest number; arguments as those of `sum`."""
    return reduced(op, "ReduceMin", tensor(op, x), axis, keepdims)


@tensor_function()
def ptp(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return the largest number minus the smallest; arguments as those of `sum`."""
    x = tensor(op, x)
    return subtract(op, amax(op, x, axis, keepdims), amin(op, x, axis, keepdims))


@tensor_function()
def any(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return whether one is True, or not 0; arguments as those of `sum`."""
    return reduced(op, "ReduceMax", op.cast(tensor(op, x), "bool"), axis, keepdims)


@tensor_function()
def all(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return whether each is True, or not 0; arguments as those of `sum`."""
    return reduced(op, "ReduceMin", op.cast(tensor(op, x), "bool"), axis, keepdims)


@tensor_function()
def count_nonzero(op: Emitter, x: Any, axis: Axes = None) -> ir.Value:
    """Return how many are not 0."""
    return reduced(op, "ReduceSum", op.cast(op.cast(tensor(op, x), "bool"), "int32"), axis)


@tensor_function()
def logsumexp(op: Emitter, x: Any, axis: Axes = None, keepdims: bool = False) -> ir.Value:
    """Return log(sum(exp(x))), without overflow; arguments as those of `sum`."""
    return _in_float32(op, "ReduceLogSumExp", floating(op, x), axis, keepdims)


@tensor_function()
def argmax(op: Emitter, x: Any, axis: int | None = None, keepdims: bool = False) -> ir.Value:
    """Return the place of the largest number, the first if there are several.

    Args:
        x: tensor.
        axis: axis that vanishes; None: the place in the flattened tensor.
        keepdims: whether it stays, with size 1.

    Example:
        >>> argmax([[1.0, 3.0], [5.0, 4.0]], axis=1).tolist()
        [1, 0]
    """
    return _place(op, "ArgMax", x, axis, keepdims)


@tensor_function()
def argmin(op: Emitter, x: Any, axis: int | None = None, keepdims: bool = False) -> ir.Value:
    """Return the place of the smallest number; arguments as those of `argmax`."""
    return _place(op, "ArgMin", x, axis, keepdims)


def count(op: Emitter, x: ir.Value, axis: Axes) -> Any:
    """Return how many numbers of a value a reduction makes one of: an integer where known."""
    sizes = sizes_of(x)
    found = product(op, [sizes[a] for a in axes_of(axis, len(sizes))])
    return found if isinstance(found, int) else scalar(op, found)


def _in_float32(op: Emitter, operator: str, x: ir.Value, axis: Axes, keepdims: bool) -> ir.Value:
    """A reduction whose sum is of at least float32."""
    given = dtype_name(x)
    return op.cast(reduced(op, operator, op.cast(x, dtypes.widened(given)), axis, keepdims), given)


def _place(op: Emitter, operator: str, x: Any, axis: int | None, keepdims: bool) -> ir.Value:
    """The place of an extreme, int32."""
    x = without_bool(op, x)
    given = dtype_name(x)
    x = op.cast(x, {"int16": "int32", "uint16": "int32", "bfloat16": "float32"}.get(given, given))
    rank = rank_of(x)
    if axis is None:
        flat = op.Reshape(x, np.array([-1], np.int64))
        found = op.emit(operator, [flat], {"axis": 0, "keepdims": 0})
        shaped = reshaped(op, found, [1] * rank) if keepdims else found
        return op.cast(shaped, "int32")
    attributes = {"axis": axis_of(axis, rank), "keepdims": int(keepdims)}
    return op.cast(op.emit(operator, [x], attributes), "int32")
