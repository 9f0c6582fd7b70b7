"""Tables and columns of other libraries as arrays of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_NUMBER: Final = (bool, int, float, np.bool_, np.number, type(None))
"""The types of values that a column of numbers may hold; None is a value that is missing."""


def holds_numbers(array: npt.NDArray[Any]) -> bool:
    """Whether the dtype of an array is one of numbers or bools."""
    return array.dtype.kind in "biuf" or array.dtype.name == "bfloat16"


def numbers_of(table: Any, what: str) -> npt.NDArray[Any]:
    """A table of pandas, or a column of one, as numbers; a value that is missing becomes NaN."""
    pairs = getattr(table, "items", None)
    if pairs is None or getattr(table, "columns", None) is None:
        return _column(table)
    return table_of_numbers(list(pairs()), type(table).__name__, what)


def table_of_numbers(columns: Sequence[tuple[Any, Any]], kind: str, what: str) -> npt.NDArray[Any]:
    """Return the columns of a table as one array of numbers; what is missing becomes NaN.

    Libraries make an array of objects of columns that differ in their dtypes, and of those of
    nullable types, though each holds numbers or bools.

    Args:
        columns: names and columns.
        kind: what the table is, for errors.
        what: name of the data in errors, such as `"x"`.

    Raises:
        ValueError: if a column does not hold numbers; names all such columns.
    """
    arrays = [_column(column) for _, column in columns]
    wrong = {
        name: str(getattr(column, "dtype", None) or getattr(column, "type", array.dtype))
        for (name, column), array in zip(columns, arrays, strict=True)
        if not holds_numbers(array)
    }
    if len(wrong) > 0:
        listed = ", ".join(f"{name!r} (dtype {dtype})" for name, dtype in wrong.items())
        raise ValueError(
            f"`{what}` must hold numbers, which these columns of the {kind} do "
            f"not: {listed}. Encode text, categories and dates as numbers, or leave them out."
        )
    return np.column_stack(arrays)


def _column(column: Any) -> npt.NDArray[Any]:
    """A column as numbers if it holds numbers, bools and missing values, else as it is."""
    array = np.asarray(column)
    kind = getattr(getattr(column, "dtype", None), "kind", "O")
    text = any(isinstance(value, str | bytes) for value in array.flat)
    if holds_numbers(array) or kind not in "biufO" or text:
        return array
    if array.dtype.kind == "O" and all(isinstance(value, _NUMBER) for value in array.flat):
        return np.array([np.nan if value is None else value for value in array.flat], "float64")
    try:
        return np.asarray(column.to_numpy(dtype="float64", na_value=np.nan))
    except (AttributeError, TypeError, ValueError):
        return array
