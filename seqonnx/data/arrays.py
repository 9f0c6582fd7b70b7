"""Labels and numbers of a whole array: one column for each class, vectors of length one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx import config

Array = npt.NDArray[Any]


def to_categorical(x: npt.ArrayLike, num_classes: int | None = None) -> npt.NDArray[np.float64]:
    """Return classes as vectors with a 1 at their class and 0 elsewhere.

    Args:
        x: classes, integers from 0 to `num_classes - 1`, of any shape; a last axis of size 1 is
            left out. Fractions are cut off.
        num_classes: number of classes; None for the largest class and one.

    Returns:
        float64 array of the shape of `x` with an axis of `num_classes` at the end.

    Raises:
        ValueError: if a class is negative or too large, or there are none to count.

    Example:
        >>> to_categorical([2, 0]).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    classes = np.array(x, dtype=np.int64)
    shape = classes.shape[:-1] if classes.ndim > 1 and classes.shape[-1] == 1 else classes.shape
    if classes.size == 0 and not num_classes:
        raise ValueError("Without any class in `x`, pass `num_classes`. Received: x of no elements")
    count = int(num_classes) if num_classes else int(classes.max()) + 1
    if classes.size > 0 and not 0 <= classes.min() <= classes.max() < count:
        raise ValueError(
            f"Classes must be integers from 0 to num_classes - 1 = {count - 1}. Received classes "
            f"from {classes.min()} to {classes.max()}"
        )
    one_hot = np.zeros((classes.size, count))
    one_hot[np.arange(classes.size), classes.reshape(-1)] = 1
    return one_hot.reshape(*shape, count)


def normalize(x: npt.ArrayLike, axis: int | None = -1, order: float = 2) -> Array:
    """Return an array divided by its norm along an axis; what has the norm 0 stays.

    Args:
        x: numbers; a list becomes an array of `config.floatx()`.
        axis: axis of the vectors; None takes the norm of the whole (for a matrix, its operator
            norm, see `numpy.linalg.norm`).
        order: order of the norm, 2 for the Euclidean one.

    Returns:
        Array of the shape of `x`.

    Example:
        >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6, 0.8], [0.0, 0.0]]
    """
    array = x if isinstance(x, np.ndarray) else np.asarray(x, config.floatx())
    norm = np.asarray(np.linalg.norm(array, order, axis, keepdims=True))
    norm[norm == 0] = 1
    return np.asarray(array / norm)
