"""Dtypes, conversion and copies of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, TracedTensor, Variable, dtype_name, ir_dtype
from seqonnx.graph.operable import Valueless
from seqonnx.graph.reading import STOP_GRADIENT
from seqonnx.graph.tracing import as_array
from seqonnx.ops.promotion import largest, number, tensor
from seqonnx.tensor_function import tensor_function


@tensor_function()
def cast(op: Emitter, x: Any, dtype: Any) -> ir.Value:
    """Return x in another dtype; fractions are cut off.

    Args:
        x: tensor.
        dtype: name of the dtype.

    Example:
        >>> cast([1.7], "int32").tolist()
        [1]
    """
    return op.cast(tensor(op, x), dtypes.standardize(dtype))


@tensor_function()
def saturate_cast(op: Emitter, x: Any, dtype: Any) -> ir.Value:
    """Return x in another dtype; what that does not hold becomes its nearest number."""
    x, wanted = tensor(op, x), dtypes.standardize(dtype)
    given = dtype_name(x)
    if "bool" in (given, wanted):
        return op.cast(x, wanted)
    low, high = _limits(wanted)
    least, most = _limits(given)
    if low > least:
        x = op.Max(x, number(op, low, x))
    if high < most:
        x = op.Min(x, number(op, _inside(high, given), x))
    return op.cast(x, wanted)


@tensor_function()
def convert_to_tensor(
    op: Emitter, x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None
) -> ir.Value:
    """Return x as a tensor.

    Args:
        x: tensor, array, number or list.
        dtype: dtype; default: its own.
        sparse: must not be True: ONNX graphs hold no sparse tensors.
        ragged: must not be True.

    Raises:
        ValueError: if a sparse or ragged tensor is asked for.
    """
    if sparse or ragged:
        raise ValueError(
            "ONNX graphs hold no sparse or ragged tensors. "
            f"Received: sparse={sparse}, ragged={ragged}"
        )
    value = tensor(op, x)
    return value if dtype is None else op.cast(value, dtypes.standardize(dtype))


@tensor_function()
def array(op: Emitter, x: Any, dtype: Any = None) -> ir.Value:
    """Return x as a tensor, in a dtype if one is given."""
    return convert_to_tensor(op, x, dtype)


@tensor_function()
def copy(op: Emitter, x: Any) -> ir.Value:
    """Return a copy of x."""
    return op.Identity(tensor(op, x))


@tensor_function()
def stop_gradient(op: Emitter, variable: Any) -> ir.Value:
    """Return x as a constant of the training step: no gradient passes it.

    Args:
        variable: tensor.
    """
    with op.scope(STOP_GRADIENT):
        return op.Identity(tensor(op, variable))


@tensor_function("conj", "real")
def conjugate(op: Emitter, x: Any) -> ir.Value:
    """Return the conjugate, or real part, of real numbers: themselves. ONNX has no others."""
    return tensor(op, x)


@tensor_function()
def imag(op: Emitter, x: Any) -> ir.Value:
    """Return the imaginary part of real numbers: 0."""
    x = tensor(op, x)
    return op.Sub(x, x)


def convert_to_numpy(x: Any) -> npt.NDArray[Any]:
    """Return a tensor that has values as an array of NumPy.

    Args:
        x: array, variable, number or list.

    Raises:
        TypeError: for a tensor whose values are not there yet.
    """
    return np.asarray(x) if isinstance(x, Valueless) else as_array(x)


def is_tensor(x: Any) -> bool:
    """Return whether x is a tensor: an array, a variable, or one of a model or a trace."""
    return isinstance(x, np.ndarray | Variable | Valueless)


def dtype(x: Any) -> str:
    """Return the name of the dtype of a tensor, such as `"float32"`."""
    given = getattr(x, "dtype", None)
    if isinstance(x, TracedTensor | Variable) or isinstance(given, str):
        return str(given)
    return str(as_array(x).dtype.name)


def _limits(dtype: str) -> tuple[float, float]:
    """The smallest and the largest number of a dtype."""
    if dtypes.is_float(dtype):
        return -largest(dtype), largest(dtype)
    whole = np.iinfo(dtype)
    return whole.min, whole.max


def _inside(limit: float, dtype: str) -> float:
    """The largest number of a dtype that is not above a limit."""
    if not dtypes.is_float(dtype):
        return limit
    near = np.asarray(limit, ir_dtype(dtype).numpy())
    return float(near if float(near) <= limit else np.nextafter(near, np.zeros_like(near)))
