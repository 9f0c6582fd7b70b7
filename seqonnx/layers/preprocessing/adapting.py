"""Data that a layer adapts to: one array, or whatever yields batches."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

_PATIENCE: Final = 2.0
"""Seconds without a sign of life that nobody minds."""


def is_one_array(data: object) -> bool:
    """Whether data is one array, as opposed to a list or to what yields batches."""
    return isinstance(data, str | bytes) or getattr(data, "__array__", None) is not None


def batches_in(
    data: Any, layer: str, *, steps: int | None = None, rows: int | None = None
) -> Iterator[Any]:
    """Yield the batches to adapt to; after two seconds a progress bar shows how far it has come.

    Args:
        data: an array, a data set that is asked for its batches by number, or an iterable of
            batches. A batch that is a tuple stands for its first part, the inputs.
        layer: name of the layer, for the bar and for errors.
        steps: number of batches to take from what yields batches; None for all.
        rows: samples of an array that make a batch; None for all of them.

    Yields:
        Batches, as they came.

    Raises:
        TypeError: if there are no batches in `data`.
        ValueError: if they never end and `steps` is None.

    Example:
        >>> [batch.tolist() for batch in batches_in(np.arange(3), "n", rows=2)]
        [[0, 1], [2]]
    """
    if is_one_array(data):
        if steps is not None:
            warnings.warn(
                f"`steps={steps}` has no effect on an array, which layer '{layer}' adapts to as a "
                "whole.",
                stacklevel=4,
            )
        return _shown(*_rows_of(data, rows), layer)
    parts, count = _items(data, layer, endless=steps is not None)
    if steps is not None:
        parts, count = _first(parts, steps), steps if count is None else min(steps, count)
    return _shown((part[0] if isinstance(part, tuple) else part for part in parts), count, layer)


def _rows_of(array: Any, rows: int | None) -> tuple[Iterable[Any], int]:
    """An array in pieces."""
    count = 1 if rows is None or len(array.shape) == 0 else -(-int(array.shape[0]) // rows)
    if rows is None or count <= 1:
        return [array], 1
    return (array[i * rows : (i + 1) * rows] for i in range(count)), count


def _items(data: Any, layer: str, *, endless: bool) -> tuple[Iterable[Any], int | None]:
    """The items of data, and how many there are, if it tells."""
    by_number = all(
        callable(getattr(data, method, None))
        for method in ("__len__", "__getitem__", "on_epoch_end")
    )
    if by_number:
        told = getattr(data, "num_batches", 0)
        count = len(data) if told == 0 else told
        if count is None and not endless:
            raise ValueError(
                f"Data that never ends needs `steps`. Received: {type(data)}, no steps"
            )
        numbers = itertools.count() if count is None else range(count)
        return (data[index] for index in numbers), count
    if not isinstance(data, Iterable):
        raise TypeError(
            f"Unsupported data type: {type(data)}. Layer '{layer}' adapts to an array, a "
            "`PyDataset`, or an iterable of batches (such as a generator)."
        )
    try:
        return data, len(data)  # type: ignore[arg-type]  # what has no length says so
    except TypeError:
        return data, None


def _first(items: Iterable[T], count: int) -> Iterator[T]:
    """The first items, without drawing the one after them."""
    if count < 1:
        return
    for index, item in enumerate(items, start=1):
        yield item
        if index == count:
            return


def _shown(items: Iterable[T], count: int | None, layer: str) -> Iterator[T]:
    """Yield items; what takes long is shown on the terminal."""
    start = time.monotonic()
    bar: Progress | None = None
    try:
        for done, item in enumerate(items):
            if bar is None and time.monotonic() - start > _PATIENCE:
                bar = _bar(layer, count)
            if bar is not None:
                bar.update(bar.task_ids[0], completed=done)
            yield item
    finally:
        if bar is not None:
            bar.stop()


def _bar(layer: str, count: int | None) -> Progress:
    """A progress bar on the terminal, which disappears when it is stopped."""
    from rich.progress import Progress

    bar = Progress(transient=True)
    bar.add_task(f"Adapting {layer}", total=count)
    bar.start()
    return bar
