"""Columns: the arrays that users bring, read a batch at a time without copying the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes
from seqonnx.training.frames import columns_of, is_frame
from seqonnx.training.frames import to_array as frame_array

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


class StoredColumn:
    """An array that stands in a file: only the rows of a batch are read, in their order there.

    Args:
        array: a memory-mapped array, a data set of HDF5 or Zarr: anything with a shape and a dtype
            that gives rows for a slice, and for indices that increase.
        dtype: `"string"` for text.
        span: first row of it that is meant, and the row after the last one.
    """

    def __init__(self, array: Any, dtype: str | None, span: slice) -> None:
        self._array = array
        self._dtype = dtype
        self._start, self._stop, _ = span.indices(int(array.shape[0]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, samples first."""
        return (self._stop - self._start, *self._array.shape[1:])

    def rows(self, rows: RowIndex) -> Array:
        """Return some rows, read now."""
        if isinstance(rows, slice):
            return self._read(self._inside(rows))
        order = np.argsort(rows)
        read = self._read(rows[order] + self._start)
        gathered = np.empty_like(read)
        gathered[order] = read
        return gathered

    def cut(self, rows: slice) -> Any:
        """Return some rows, not read yet."""
        return StoredColumn(self._array, self._dtype, self._inside(rows))

    def _inside(self, rows: slice) -> slice:
        """Rows of the span as rows of the array."""
        start, stop, _ = rows.indices(self._stop - self._start)
        return slice(self._start + start, self._start + stop)

    def _read(self, rows: RowIndex) -> Array:
        read = np.array(self._array[rows])
        return dtypes.to_array(read, self._dtype, "x") if self._dtype == "string" else read


def is_array(data: object) -> bool:
    """Whether `data` is an array, as opposed to something that yields batches."""
    return (
        isinstance(data, list | tuple | str | bytes | int | float | np.generic | StoredColumn)
        or _is_sparse(data)
        or is_frame(data)
        or getattr(data, "__array__", None) is not None
    )


def make_column(data: Any, what: str, dtype: str | None = None) -> Column:
    """Return `data` as a column.

    Args:
        data: array, list of numbers, `scipy.sparse` matrix, table of pandas, polars or Arrow, data
            set in a file, or anything with `__array__`.
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
    if isinstance(data, StoredColumn):
        return data
    if _is_sparse(data):
        return _sparse_column(data, what)
    if isinstance(data, int | float) or getattr(data, "ndim", None) == 0:
        raise ValueError(
            f"`{what}` must have its samples along the first axis. Received a single number: "
            f"{what}={data!r}"
        )
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise ValueError(
            f"`{what}` has values that are masked, which no model sees. Fill them first, such as "
            f"by `{what}.filled(0)`. Received: a masked array of shape {data.shape}"
        )
    if is_frame(data):
        return DenseColumn(frame_array(data, dtype, what))
    if is_stored(data):
        # Checked on no rows at all, also below: `to_array` would read or copy the whole.
        dtypes.to_array(np.empty(0, data.dtype), dtype, what)
        return StoredColumn(data, dtype, slice(None))
    if dtype == "string":
        return DenseColumn(dtypes.to_array(data, dtype, what))
    if isinstance(data, np.ndarray):
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
    if len(types) > 1 and is_frame(x):
        x = dict(columns_of(x))
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


def check_cardinality(x: Sequence[Any], y: Sequence[Any], sample_weight: Sequence[Any]) -> int:
    """Return the number of samples.

    Args:
        x: arrays or columns, one per input.
        y: arrays or columns of targets.
        sample_weight: arrays or columns of weights.

    Raises:
        ValueError: if they differ in their number of samples.
    """
    groups = {"x": x, "y": y, "sample_weight": sample_weight}
    sizes = {
        name: [int(part.shape[0]) for part in parts]
        for name, parts in groups.items()
        if len(parts) > 0
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
    return any(cls.__module__.startswith("scipy.sparse") for cls in type(data).__mro__)


def _sparse_column(data: Any, what: str) -> SparseColumn:
    """A column of a sparse matrix, which only inputs can be."""
    if what != "x":
        raise ValueError(
            f"`{what}` cannot be sparse. Pass `{what}.toarray()`. Received: {type(data)} of shape "
            f"{data.shape}"
        )
    if len(data.shape) != 2:
        raise ValueError(
            f"Sparse data must have rows and columns. Received: `{what}` of shape {data.shape}"
        )
    dtypes.to_array(np.empty(0, data.dtype), None, what)
    return SparseColumn(data)


def is_stored(data: Any) -> bool:
    """Whether this is an array in a file, of which rows can be read.

    Arrays in files have chunks, or None in their place, besides a shape and a dtype.
    """
    if isinstance(data, np.memmap):
        return data.ndim > 0
    if isinstance(data, np.ndarray) or not callable(getattr(data, "__getitem__", None)):
        return False
    missing = object()
    told = [getattr(data, name, missing) for name in ("shape", "dtype", "chunks")]
    return all(value is not missing for value in told) and len(data.shape) > 0
