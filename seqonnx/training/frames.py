"""Frames: tables with named columns, of pandas, polars, Arrow and whatever gives Arrow's stream."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from seqonnx import dtypes
from seqonnx.tables import table_of_numbers


def is_frame(data: object) -> TypeGuard[Any]:
    """Whether this is a table with named columns."""
    if isinstance(data, np.ndarray | type):
        return False
    if _has(data, "__array__"):
        return getattr(data, "columns", None) is not None or _is_arrow(data)
    # One column gives a stream as well, but is an array besides.
    return _is_arrow(data) or _has(data, "__arrow_c_stream__")


def columns_of(frame: Any) -> list[tuple[str, Any]]:
    """Return the columns of a table with their names, in their order.

    Args:
        frame: see `is_frame`.

    Raises:
        ImportError: if the table gives Arrow's stream only, and `pyarrow` is not there to read it.
    """
    if _is_arrow(frame):
        return [(name, frame.column(name)) for name in frame.column_names]
    if not _has(frame, "__array__"):
        return columns_of(_read(frame))
    pairs = getattr(frame, "items", None)
    if pairs is not None:
        return list(pairs())
    return [(name, frame[name]) for name in frame.columns]


def to_array(frame: Any, dtype: str | None, what: str) -> npt.NDArray[Any]:
    """Return a table as one array, a column of it for each column.

    Args:
        frame: see `is_frame`.
        dtype: `"string"` for text; else the columns hold numbers, and what is missing is NaN.
        what: name of the data in errors, such as `"x"`.

    Raises:
        ValueError: if a column does not hold what is wanted; names all such columns.
    """
    if dtype != "string" and _has(frame, "to_numpy") and _has(frame, "items"):
        return dtypes.to_array(frame, None, what)
    columns = columns_of(frame)
    if dtype == "string":
        return np.column_stack(
            [dtypes.to_array(column, dtype, f"{what}[{name!r}]") for name, column in columns]
        )
    return table_of_numbers(columns, type(frame).__name__, what)


def _has(data: object, method: str) -> bool:
    return callable(getattr(data, method, None))


def _is_arrow(data: Any) -> bool:
    """Whether this is a table of Arrow, or looks like one."""
    return isinstance(getattr(data, "column_names", None), Iterable) and callable(
        getattr(data, "column", None)
    )


def _read(data: Any) -> Any:
    """The table that Arrow reads from a stream."""
    try:
        pyarrow = importlib.import_module("pyarrow")
    except ImportError as error:
        raise ImportError(
            f"Reading a {type(data).__name__} through Arrow needs pyarrow: `pip install pyarrow`. "
            "Or pass its columns as arrays."
        ) from error
    return pyarrow.table(data)
