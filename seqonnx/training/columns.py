"""Columns: the arrays that users bring, read a batch at a time without copying the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes

Array = npt.NDArray[Any]
RowIndex = slice | npt.NDArray[np.intp]
InputDtype = str | Sequence[str | None] | Mapping[str, str] | None
"""Dtype of the one model input; or that of each, in a sequence or by the input's name."""


class Column(Protocol):
    """Data with one row per sample."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, samples first."""

    def rows(self, rows: RowIndex) -> Array:
        """Return some rows: for a slice a view where there is one, else a new array."""

    def cut(self, rows: slice) -> Any:
        """Return some rows as data of the same kind, without copying a dense array."""


class DenseColumn:
    """A NumPy array, or what shares its memory with one."""

    def __init__(self, array: Array) -> None:
        self._array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, samples first."""
        return self._array.shape

    def rows(self, rows: RowIndex) -> Array:
        """Return some rows."""
        if isinstance(rows, slice):
            return self._array[rows]
        if self._array.flags.c_contiguous:
            return self._array.take(rows, axis=0)
        # `take` is the faster one, but would first make a contiguous copy of the whole.
        gathered: Array = self._array[rows]
        return gathered

    def cut(self, rows: slice) -> Any:
        """Return a view of some rows."""
        return self._array[rows]


class SparseColumn:
    """A `scipy.sparse` matrix: only the rows of a batch become dense."""

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix.tocsr()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, samples first."""
        return tuple(self._matrix.shape)

    def rows(self, rows: RowIndex) -> Array:
        """Return some rows."""
        dense: Array = self._matrix[rows].toarray()
        return dense

    def cut(self, rows: slice) -> Any:
        """Return some rows, sparse as they are."""
        return self._matrix[rows]


def is_array(data: object) -> bool:
    """Whether `data` is an array, as opposed to something that yields batches."""
    return (
        isinstance(data, list | tuple | str | bytes | int | float | np.generic)
        or _is_sparse(data)
        or getattr(data, "__array__", None) is not None
    )


def make_column(data: Any, what: str, dtype: str | None = None) -> Column:
    """Return `data` as a column.

    Args:
        data: array, list of numbers, `scipy.sparse` matrix, or anything with `__array__`.
        what: name of the data in errors, such as `"x"`.
        dtype: `"string"` for text; else the data hold numbers.

    Returns:
        The column, in the data's own type.

    Raises:
        ValueError: if the data does not hold what is wanted or has no samples axis.

    Example:
        >>> make_column([[1, 2], [3, 4]], "x").rows(slice(1, 2)).tolist()
        [[3, 4]]
    """
    if _is_sparse(data):
        return SparseColumn(data)
    if isinstance(data, int | float) or getattr(data, "ndim", None) == 0:
        raise ValueError(
            f"`{what}` must have its samples along the first axis. Received a single number: "
            f"{what}={data!r}"
        )
    if dtype == "string":
        return DenseColumn(dtypes.to_array(data, dtype, what))
    if isinstance(data, np.ndarray):
        # Checked on no rows at all: `to_array` would copy an array that is not contiguous.
        dtypes.to_array(np.empty(0, data.dtype), None, what)
        return DenseColumn(np.asarray(data))
    return DenseColumn(dtypes.to_array(data, None, what))


def cast(array: Array, dtype: str | None) -> Array:
    """Return `array` C-contiguous and of the given type (None: its own), copied only if needed."""
    as_it_is = dtype in {None, "string"}
    return np.asarray(array if as_it_is else array.astype(dtype, copy=False), order="C")


def separate_inputs(x: Any, dtype: InputDtype) -> list[tuple[Any, str | None]]:
    """Return the data of each model input with its dtype.

    Args:
        x: data of all inputs: for one input an array, or a list or tuple of just one array; for
            several a list or tuple with an array for each, or a dict by the names of the inputs.
        dtype: type of the one input, or the type of each; by name, if `x` may be a dict.

    Returns:
        Data and type per input.

    Raises:
        ValueError: if there is not one array for each input.
    """
    if isinstance(dtype, Mapping):
        x, dtype = _in_order(x, dtype), list(dtype.values())
    types = [dtype] if dtype is None or isinstance(dtype, str) else list(dtype)
    if isinstance(x, dict):
        raise ValueError(
            "A dict of arrays cannot be matched with model inputs. Pass an array, or a list with "
            f"one array per input. Received a dict with keys {list(x)}."
        )
    if len(types) == 1:
        return [(unwrap(x), types[0])]
    if not isinstance(x, list | tuple) or len(x) != len(types):
        received = f"{len(x)} arrays" if isinstance(x, list | tuple) else str(type(x))
        raise ValueError(
            f"The model has {len(types)} inputs: `x` must be a list or tuple of {len(types)} "
            f"arrays. Received: {received}"
        )
    return list(zip(x, types, strict=True))


def _in_order(x: Any, types: Mapping[str, str]) -> Any:
    """Arrays given by name in the order of the inputs; other data as it is."""
    if not isinstance(x, Mapping):
        return x
    if sorted(x) != sorted(types):
        raise ValueError(
            f"Data given as a dict must name the inputs of the model, which are {list(types)}. "
            f"Received keys: {sorted(x)}"
        )
    return [x[name] for name in types]


def unwrap(data: Any) -> Any:
    """The array in `[array]` or `(array,)`; anything else as it is."""
    if isinstance(data, list | tuple) and len(data) == 1:
        inner = data[0]
        if not isinstance(inner, list | tuple) and getattr(inner, "ndim", 0) >= 1:
            return inner
    return data


def check_cardinality(x: Sequence[Any], y: Any, sample_weight: Any) -> int:
    """Return the number of samples.

    Args:
        x: arrays or columns, one per input.
        y: array or column of targets, or None.
        sample_weight: array or column of weights, or None.

    Raises:
        ValueError: if they differ in their number of samples.
    """
    groups = {"x": list(x), "y": [y], "sample_weight": [sample_weight]}
    sizes = {
        name: [int(part.shape[0]) for part in parts]
        for name, parts in groups.items()
        if parts[0] is not None
    }
    if len({size for group in sizes.values() for size in group}) > 1:
        raise ValueError(
            "Data cardinality is ambiguous. Make sure all arrays contain the same number of "
            "samples."
            + "".join(f"'{name}' sizes: {', '.join(map(str, s))}\n" for name, s in sizes.items())
        )
    return sizes["x"][0]


def whole_number(value: Any, name: str, *, least: int) -> int:
    """Return an argument that counts something, of any integer type.

    Args:
        value: the argument.
        name: its name, for errors.
        least: smallest value that is legal.

    Raises:
        ValueError: if it is not an integer, or below `least`.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least:
        return int(value)
    kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
    raise ValueError(f"`{name}` must be {kind}. Received: {name}={value!r}")


def _is_sparse(data: object) -> bool:
    """Whether this is a matrix of `scipy.sparse`, told without importing it."""
    return type(data).__module__.startswith("scipy.sparse")
