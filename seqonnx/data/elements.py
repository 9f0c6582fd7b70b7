"""Elements of data sets: arrays in tuples and dicts, and a batch of several of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.structures import put_back, take_out

Array = npt.NDArray[Any]


def as_element(value: Any) -> Any:
    """Return a structure with an array in the place of each part.

    Tuples and dicts are structures; a list is data, as in tf.data. Python's numbers become float32
    and int32 (int64 where they need it); arrays keep their dtype; None stays.

    Args:
        value: arrays, numbers, text and lists of them in tuples and dicts.

    Raises:
        ValueError: if a list is not a regular array.

    Example:
        >>> as_element(([1.5, 2.0], {"a": 3}))
        (array([1.5, 2. ], dtype=float32), {'a': array(3, dtype=int32)})
    """
    if isinstance(value, tuple):
        return tuple(as_element(part) for part in value)
    if isinstance(value, Mapping):
        return {key: as_element(part) for key, part in value.items()}
    return None if value is None else _as_array(value)


def arrays_of(element: Any) -> tuple[list[Array], Any]:
    """Return the arrays of an element, and the pattern that puts them back (see `structures`)."""
    arrays: list[Array] = []
    pattern = take_out(element, lambda part: isinstance(part, np.ndarray), arrays)
    return arrays, pattern


def with_each(element: Any, change: Callable[[Array], Any]) -> Any:
    """Return an element with each of its arrays changed."""
    arrays, pattern = arrays_of(element)
    return put_back(pattern, [change(array) for array in arrays])


def unwritable(element: Any) -> Any:
    """Return an element whose arrays cannot be written to, for one that is handed out again."""

    def locked(array: Array) -> Array:
        view = array.view()
        view.flags.writeable = False
        return view

    return with_each(element, locked)


def writable(element: Any) -> Any:
    """Return an element whose arrays may be written to; copies those that may not."""
    return with_each(element, lambda array: array if array.flags.writeable else array.copy())


def rows(element: Any, what: str) -> int:
    """Return how many rows the arrays of an element have.

    Args:
        element: arrays in tuples and dicts.
        what: where it comes from, for errors.

    Raises:
        ValueError: if an array has no axes, or they differ in their number of rows.
    """
    arrays, _ = arrays_of(element)
    shapes = [array.shape for array in arrays]
    if len(shapes) == 0 or () in shapes or len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            f"{what} needs arrays that all have the same size along their first axis. Received "
            f"shapes: {', '.join(map(str, shapes)) or 'no arrays'}"
        )
    return int(shapes[0][0])


def stacked(elements: Sequence[Any]) -> Any:
    """Return a batch: elements stacked along a new first axis.

    Args:
        elements: at least one; all of the same structure and shapes.

    Raises:
        ValueError: if they differ.

    Example:
        >>> stacked([(np.zeros(2), np.ones(())), (np.ones(2), np.ones(()))])[0].shape
        (2, 2)
    """
    parts = [arrays_of(element) for element in elements]
    pattern = parts[0][1]
    for _, other in parts:
        if other != pattern:
            raise ValueError(
                "A batch is made of elements of one structure. Received elements of the "
                f"structures {pattern} and {other}"
            )
    columns = zip(*(arrays for arrays, _ in parts), strict=True)
    return put_back(pattern, [_stack(column) for column in columns])


def _stack(arrays: Sequence[Array]) -> Array:
    try:
        return np.stack(arrays)
    except ValueError as error:
        shapes = sorted({array.shape for array in arrays})
        raise ValueError(
            "A batch is made of arrays of one shape. Received arrays of the shapes "
            f"{', '.join(map(str, shapes))}. Pad, crop or resize them in `map` before `batch`."
        ) from error


def _as_array(value: Any) -> Array:
    """An array of data, with numbers of Python's in the dtypes that tf.data gives them."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"A list in an element of a data set must be a regular array: {error}. Put arrays of "
            "different shapes in a tuple."
        ) from error
    if not isinstance(value, list | int | float) or isinstance(value, np.generic):
        return array
    if array.dtype == np.float64 and not _holds_typed(value):
        return array.astype(np.float32)
    if array.dtype == np.int64 and not _holds_typed(value):
        narrow = array.astype(np.int32)
        return narrow if np.array_equal(narrow, array) else array
    return array


def _holds_typed(value: Any) -> bool:
    """Whether a list holds numbers that have a dtype of their own."""
    while isinstance(value, list) and len(value) > 0:
        value = value[0]
    return isinstance(value, np.ndarray | np.generic)
