"""Prefetching: a thread prepares the next batches while the present one is computed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

# A source that blocks for longer cannot be stopped; its thread is a daemon and is left alone.
_PATIENCE: Final = 10.0


def prefetch(source: Iterable[T], depth: int = 2) -> Generator[T, None, None]:
    """Yield the items of `source`, made ahead of time in another thread.

    The thread starts with the first item asked for. It ends when the source does, or when this
    generator is closed: by `close()`, by leaving a loop over it that holds its only reference, or
    by an exception passing through. An item that the thread is making is then still made.

    Args:
        source: what to iterate over, in the other thread. A generator is closed there.
        depth: most items that wait to be used; 0 to work without a thread.

    Yields:
        The items, in order.

    Raises:
        ValueError: if `depth` is negative.
        BaseException: whatever the source raises, with its traceback, in place of the item.

    Example:
        >>> list(prefetch(iter([1, 2, 3])))
        [1, 2, 3]
    """
    if depth < 0:
        raise ValueError(f"`depth` must not be negative. Received: depth={depth}")
    if depth == 0:
        yield from source
        return
    line: _Line[T] = _Line(depth)
    thread = threading.Thread(
        target=_produce, args=(source, line), name="seqonnx-prefetch", daemon=True
    )
    thread.start()
    try:
        yield from line.items()
    finally:
        line.stop()
        thread.join(_PATIENCE)


class _Line(Generic[T]):
    """A bounded queue between two threads that either side can end at once."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        self._finished = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Add an item once there is room; False if nobody wants it any more."""
        with self._changed:
            while len(self._items) >= self._depth and not self._stopped:
                self._changed.wait()
            if self._stopped:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def finish(self, error: BaseException | None) -> None:
        """Say that no more items come, and why."""
        with self._changed:
            self._finished = True
            self._error = error
            self._changed.notify_all()

    def stop(self) -> None:
        """Say that no more items are wanted."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()

    def items(self) -> Generator[T, None, None]:
        """Yield items as they come; raise the source's error after the last."""
        while True:
            with self._changed:
                while len(self._items) == 0 and not self._finished:
                    self._changed.wait()
                if len(self._items) == 0:
                    break
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error


def _produce(source: Iterable[T], line: _Line[T]) -> None:
    """Move the items of `source` into the line; runs in the thread."""
    error: BaseException | None = None
    try:
        for item in source:
            if not line.put(item):
                break
    except BaseException as caught:  # whatever it is, it belongs to the consumer
        error = caught
    try:
        if isinstance(source, Generator):
            source.close()
    except BaseException as caught:
        error = error or caught
    line.finish(error)
