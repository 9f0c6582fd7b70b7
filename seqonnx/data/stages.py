"""Stages of a data set: iterators that change the elements of another one."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from seqonnx.data.elements import as_element, rows, stacked, with_each, writable

AUTOTUNE = -1
"""Number of threads or elements that is chosen for the user, as `tf.data.AUTOTUNE`."""


def call_on(function: Callable[..., Any], element: Any) -> Any:
    """Call a function on an element; the parts of a tuple are its arguments."""
    own = writable(element)
    return function(*own) if isinstance(own, tuple) else function(own)


def mapped(
    source: Iterable[Any], function: Callable[..., Any], threads: int | None
) -> Iterator[Any]:
    """Yield what a function makes of each element, in their order.

    Args:
        source: the elements.
        function: called on each.
        threads: how many elements are worked on at once; None for one after the other in the
            caller's thread, `AUTOTUNE` for one for each core.
    """
    if threads is None:
        for element in source:
            yield as_element(call_on(function, element))
        return
    count = (os.cpu_count() or 1) if threads == AUTOTUNE else threads
    pool = ThreadPoolExecutor(count, thread_name_prefix="seqonnx-map")
    waiting: deque[Future[Any]] = deque()
    try:
        for element in source:
            waiting.append(pool.submit(call_on, function, element))
            if len(waiting) > count:
                yield as_element(waiting.popleft().result())
        while waiting:
            yield as_element(waiting.popleft().result())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def batched(source: Iterable[Any], size: int, drop_remainder: bool) -> Iterator[Any]:
    """Yield batches of elements; the last one may be smaller."""
    elements = iter(source)
    while batch := list(islice(elements, size)):
        if len(batch) == size or not drop_remainder:
            yield stacked(batch)


def unbatched(source: Iterable[Any]) -> Iterator[Any]:
    """Yield the rows of each batch."""
    for batch in source:
        for index in range(rows(batch, "`unbatch`")):
            yield row(batch, index)


def row(batch: Any, index: int) -> Any:
    """Return a row of a batch as an element."""
    return with_each(batch, lambda array: array[index, ...])


def shuffled(source: Iterable[Any], buffer_size: int, rng: np.random.Generator) -> Iterator[Any]:
    """Yield elements in random order, each drawn from the next `buffer_size` ones."""
    buffer: list[Any] = []
    for element in source:
        if len(buffer) < buffer_size:
            buffer.append(element)
            continue
        place = int(rng.integers(buffer_size))
        drawn, buffer[place] = buffer[place], element
        yield drawn
    for place in rng.permutation(len(buffer)):
        yield buffer[place]
