"""Targets and sample weights: an array, or a list or dict of arrays where there are several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.structures import mapped, parts
from seqonnx.training.class_weight import ClassWeights
from seqonnx.training.columns import (
    DenseColumn,
    SparseColumn,
    StoredColumn,
    cast,
    is_array,
    make_column,
    unwrap,
)

Structure = Any
"""An array; or a list, tuple or dict of arrays, some of which may be None."""

ANY_COLUMN = DenseColumn | SparseColumn | StoredColumn


def to_columns(data: Any, what: str, samples: int, outputs: int | None) -> Structure:
    """Return targets or sample weights with a column in the place of each array.

    Args:
        data: an array; or a list, tuple or dict of arrays.
        what: name of the data in errors, such as `"y"`.
        samples: number of samples.
        outputs: number of outputs of the model; None if it is not known. It tells a list of
            arrays from a list of rows.

    Raises:
        ValueError: if something in it does not hold numbers.
    """
    if data is None:
        return None
    if isinstance(data, Mapping):
        return {
            key: to_columns(part, f"{what}[{key!r}]", samples, None) for key, part in data.items()
        }
    if isinstance(data, list | tuple) and _holds_several(data, samples, outputs):
        return [to_columns(part, f"{what}[{i}]", samples, 1) for i, part in enumerate(data)]
    return make_column(unwrap(data), what)


def _holds_several(data: Sequence[Any], samples: int, outputs: int | None) -> bool:
    """Whether a list holds data for several outputs, as opposed to the rows of one array."""
    if outputs is not None:
        return outputs > 1
    arrays = [part for part in data if part is not None]
    return len(data) > 1 and all(
        isinstance(part, Mapping)
        or (
            not isinstance(part, list | tuple | int | float)
            and is_array(part)
            and len(part) == samples
        )
        for part in arrays
    )


def rows_of(columns: Structure, rows: Any, dtype: str | None = None) -> Structure:
    """Return some rows of each column, in a dtype; None keeps that of the data."""
    return mapped(lambda column: cast(column.rows(rows), dtype), columns, ANY_COLUMN)


def owned(columns: Structure, dtype: str | None) -> Structure:
    """Return copies of all rows: the source may fill its buffer anew before they are used."""
    everything = slice(None)
    return mapped(
        lambda column: np.array(column.rows(everything), dtype=dtype, order="C"),
        columns,
        ANY_COLUMN,
    )


def cut(columns: Structure, rows: slice) -> Structure:
    """Return some rows of each column as data of the same kind."""
    return mapped(lambda column: column.cut(rows), columns, ANY_COLUMN)


def columns_in(columns: Structure) -> list[Any]:
    """Return the columns of a structure as a list."""
    return parts(columns, ANY_COLUMN)


def arrays_in(data: Structure) -> list[npt.NDArray[Any]]:
    """Return the arrays of a structure as a list."""
    return parts(data, np.ndarray)


def by_class(class_weight: ClassWeights, y: Structure) -> npt.NDArray[np.float32]:
    """Return sample weights by the class of each target.

    Raises:
        ValueError: if there are targets for several outputs.
    """
    if not isinstance(y, np.ndarray):
        raise ValueError(
            "`class_weight` is only supported for Models with a single output. Received: targets "
            f"for {len(arrays_in(y))} outputs."
        )
    return class_weight.of(y)


def each(change: Callable[[Any], Any], data: Structure) -> Structure:
    """Return a structure with a change of each of its arrays."""
    return mapped(change, data, np.ndarray)


def samples_of(data: Any) -> int:
    """Return the number of samples in the first array of a structure.

    Raises:
        ValueError: if it holds no array.
    """
    if isinstance(data, Mapping):
        data = list(data.values())
    if isinstance(data, list | tuple):
        inner = next((part for part in data if part is not None), None)
        listed = not isinstance(inner, int | float) and (
            isinstance(inner, Mapping) or (not isinstance(inner, list) and is_array(inner))
        )
        return (
            samples_of(inner) if listed and inner is not None and np.ndim(inner) > 0 else len(data)
        )
    if data is None or np.ndim(data) == 0:
        raise ValueError(
            f"Data must have their samples along the first axis. Received: {data!r} of type "
            f"{type(data)}"
        )
    return int(np.shape(data)[0])


def packed(x: Any, y: Any, sample_weight: Any) -> Any:
    """Return data as a step gets them: `x`, `(x, y)` or `(x, y, sample_weight)`, as in Keras."""
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def to_arrays(data: Any) -> Structure:
    """Return one item of what yields batches with copies of its arrays, in its own structure."""
    if isinstance(data, Mapping):
        return {key: to_arrays(part) for key, part in data.items()}
    if isinstance(data, tuple) or (isinstance(data, list) and _lists_arrays(data)):
        return type(data)(to_arrays(part) for part in data)
    if data is None:
        return None
    return owned(make_column(data, "data"), None)


def _lists_arrays(data: Sequence[Any]) -> bool:
    """Whether a list holds arrays, as opposed to numbers."""
    plain = (int, float, list)
    return all(not isinstance(part, plain) or isinstance(part, Mapping) for part in data)
