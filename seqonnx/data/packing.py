"""The batch that `fit` gets: inputs, targets and sample weights, in a tuple or taken apart."""

from __future__ import annotations

from typing import Any


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Return inputs, targets and sample weights in the form in which data sets give a batch.

    Args:
        x: inputs.
        y: targets, or None.
        sample_weight: weights of the samples, or None. Without targets they are left out.

    Returns:
        `(x, y, sample_weight)` without what is None; `x` by itself where that is clear.

    Example:
        >>> pack_x_y_sample_weight(1), pack_x_y_sample_weight([1, 2]), pack_x_y_sample_weight(1, 2)
        (1, ([1, 2],), (1, 2))
    """
    if y is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Return inputs, targets and sample weights of a batch; None for what it lacks.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`, in a tuple or list.

    Raises:
        ValueError: if it has no part, or more than three.

    Example:
        >>> unpack_x_y_sample_weight((1, 2))
        (1, 2, None)
    """
    parts = tuple(data) if isinstance(data, list | tuple) else (data,)
    if not 1 <= len(parts) <= 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, "
            f"found: {data}"
        )
    x, y, sample_weight = (*parts, None, None)[:3]
    return x, y, sample_weight
