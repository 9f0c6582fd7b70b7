"""Dtypes under the names that Keras and NumPy use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FLOAT_TYPES: Final = ("float16", "bfloat16", "float32", "float64")
INTEGER_TYPES: Final = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
HALF_TYPES: Final = ("float16", "bfloat16")
MIXED_POLICIES: Final = ("mixed_float16", "mixed_bfloat16")
_TEXT: Final = "OUST"
"""NumPy's kinds of arrays that may hold text."""
ALL_TYPES: Final = (*FLOAT_TYPES, *INTEGER_TYPES, "bool", "string")


def standardize(dtype: object) -> str:
    """Return the standard name of `dtype`.

    Args:
        dtype: a name (`"float32"`), a NumPy dtype or type, or None for the default `"float32"`.

    Returns:
        One of `ALL_TYPES`.

    Raises:
        ValueError: if the type has no ONNX counterpart that layers can work on.

    Example:
        >>> standardize(np.float64)
        'float64'
    """
    if dtype is None:
        return "float32"
    # `np.dtype` is typed for what it accepts; anything may come in here, and it says what is wrong.
    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name  # type: ignore[call-overload]
    if name in {"half", "single", "double"}:
        name = np.dtype(name).name
    if name not in ALL_TYPES:
        raise ValueError(f"Invalid dtype: {dtype}. Expected one of {', '.join(ALL_TYPES)}.")
    return str(name)


@dataclass(frozen=True)
class Policy:
    """Dtypes of a layer.

    Args:
        name: a dtype, or one of `MIXED_POLICIES`.
        variable_dtype: type of its weights.
        compute_dtype: type that it computes in and gives.

    Example:
        >>> Policy.of("mixed_float16")
        Policy(name='mixed_float16', variable_dtype='float32', compute_dtype='float16')
    """

    name: str
    variable_dtype: str
    compute_dtype: str

    @classmethod
    def of(cls, dtype: object) -> Policy:
        """Return the policy that `dtype` names.

        Args:
            dtype: what `standardize` takes (weights and computation alike), or one of
                `MIXED_POLICIES`.

        Raises:
            ValueError: if it names none.
        """
        if isinstance(dtype, str) and dtype in MIXED_POLICIES:
            return cls(dtype, "float32", dtype.removeprefix("mixed_"))
        if isinstance(dtype, str) and dtype.startswith("mixed_"):
            raise ValueError(
                f"Invalid dtype policy: {dtype}. Expected one of {', '.join(MIXED_POLICIES)}, or "
                "a dtype."
            )
        name = standardize(dtype)
        return cls(name, name, name)


def widened(dtype: str) -> str:
    """Return float32 for a type of 16 bits, which loses digits in sums; else `dtype`.

    Example:
        >>> widened("bfloat16"), widened("float64")
        ('float32', 'float64')
    """
    return "float32" if dtype in HALF_TYPES else dtype


def is_float(dtype: str) -> bool:
    """Whether `dtype` (a standard name) is a floating-point type."""
    return dtype in FLOAT_TYPES


def plain_value(value: Any) -> Any:
    """Return NumPy's numbers as Python's, and its arrays as lists, also inside of sequences.

    Sizes, axes and rates come out of array shapes and sums, so any argument may be of NumPy's
    types; in a configuration they would not be JSON.

    Example:
        >>> plain_value((np.int64(3), [np.float32(0.5), None])), plain_value(np.array([1, 2]))
        ((3, [0.5, None]), [1, 2])
    """
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if type(value) in {list, tuple}:
        return type(value)(plain_value(item) for item in value)
    if type(value) is dict:
        return {key: plain_value(item) for key, item in value.items()}
    return value


def to_array(data: Any, dtype: str | None, what: str) -> npt.NDArray[Any]:
    """Return `data` as a contiguous NumPy array.

    Args:
        data: array, list of numbers, or anything with `__array__` (torch, pandas, jax …).
        dtype: standard name to cast to; None keeps a numeric type as it is. `"string"` takes text
            and gives an array of Python's strings; bytes are decoded as UTF-8.
        what: name of the data in errors, such as `"x"`.

    Returns:
        C-contiguous array.

    Raises:
        ValueError: if the data holds text or objects where numbers are wanted, or the other way
            round, or rows of different lengths.

    Example:
        >>> to_array([[1, 2]], "float32", "x").dtype.name
        'float32'
    """
    array = _as_array(data, what)
    if dtype == "string":
        return _text_of(array, what)
    if not _holds_numbers(array) and getattr(data, "to_numpy", None) is not None:
        array = _numbers_of(data, what)
    if not _holds_numbers(array):
        raise ValueError(
            f"`{what}` must hold numbers. Received data of dtype {array.dtype} "
            f"(type {type(data).__name__}). Encode text and objects as numbers first."
        )
    return np.asarray(array if dtype is None else array.astype(dtype, copy=False), order="C")


def name_of(array: npt.NDArray[Any]) -> str:
    """Return the standard name of an array's dtype; arrays of text and of objects hold strings.

    Example:
        >>> name_of(np.array(["a"])), name_of(np.zeros(1))
        ('string', 'float64')
    """
    return "string" if array.dtype.kind in _TEXT else array.dtype.name


def _as_array(data: Any, what: str) -> npt.NDArray[Any]:
    """An array of whatever data holds."""
    try:
        return np.asarray(data)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"`{what}` cannot be made an array: {error}. Received: {type(data)}"
        ) from error


def _text_of(array: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    """An array of text as one of Python's strings, which ONNX Runtime takes."""
    if array.dtype.kind not in _TEXT and array.size > 0:
        raise ValueError(
            f"`{what}` must hold text. Received data of dtype {array.dtype}. Make strings of "
            "numbers first, such as by `array.astype(str)`."
        )
    texts = array.astype(object)
    if array.dtype.kind in "UT":
        return texts
    flat = texts.reshape(-1)
    for index, value in enumerate(flat):
        if isinstance(value, bytes):
            flat[index] = value.decode("utf-8")
        elif not isinstance(value, str):
            raise ValueError(
                f"`{what}` must hold text. Received: {value!r} (of type {type(value).__name__}) "
                f"at place {np.unravel_index(index, array.shape)}"
            )
    return flat.reshape(array.shape)


def _holds_numbers(array: npt.NDArray[Any]) -> bool:
    """Whether the dtype of an array is one of numbers or bools."""
    return array.dtype.kind in "biuf" or array.dtype.name == "bfloat16"


def _numbers_of(table: Any, what: str) -> npt.NDArray[Any]:
    """A table of pandas, or a column of one, as numbers; a value that is missing becomes NaN.

    The library makes an array of objects of columns that differ in their dtypes, and of
    those of nullable types, though each holds numbers or bools.

    Raises:
        ValueError: if a column does not hold numbers; names all such columns.
    """
    pairs = getattr(table, "items", None)
    if pairs is None or getattr(table, "columns", None) is None:
        return _column(table)
    names, columns = zip(*pairs(), strict=True)
    arrays = [_column(column) for column in columns]
    wrong = {
        name: str(column.dtype)
        for name, column, array in zip(names, columns, arrays, strict=True)
        if not _holds_numbers(array)
    }
    if len(wrong) > 0:
        listed = ", ".join(f"{name!r} (dtype {dtype})" for name, dtype in wrong.items())
        raise ValueError(
            f"`{what}` must hold numbers, which these columns of the {type(table).__name__} do "
            f"not: {listed}. Encode text, categories and dates as numbers, or leave them out."
        )
    return np.column_stack(arrays)


def _column(column: Any) -> npt.NDArray[Any]:
    """A column as numbers if it holds numbers, bools and missing values, else as it is."""
    array = np.asarray(column)
    kind = getattr(getattr(column, "dtype", None), "kind", "O")
    text = any(isinstance(value, str | bytes) for value in array.flat)
    if _holds_numbers(array) or kind not in "biufO" or text:
        return array
    try:
        return np.asarray(column.to_numpy(dtype="float64", na_value=np.nan))
    except (TypeError, ValueError):
        return array
