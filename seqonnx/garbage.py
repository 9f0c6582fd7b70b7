"""Python's search for garbage in cycles, paused while much is made that stays."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Pauses:
    """How many pauses there are now, in all threads, and whether Python searched before."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.searched = False

    def begin(self) -> None:
        """Begin a pause."""
        with self.lock:
            if self.count == 0:
                self.searched = gc.isenabled()
                gc.disable()
            self.count += 1

    def end(self) -> None:
        """End a pause; the last one lets Python search again, if it did before."""
        with self.lock:
            self.count = max(self.count - 1, 0)  # a child that was forked inside has none
            if self.count == 0 and self.searched:
                gc.enable()

    def end_in_child(self) -> None:
        """End all pauses in a forked child: the threads that began them are not there."""
        if self.count > 0 and self.searched:
            gc.enable()
        self.lock, self.count = threading.Lock(), 0


_pauses = _Pauses()
if os.name == "posix":
    os.register_at_fork(after_in_child=_pauses.end_in_child)


@contextmanager
def search_paused() -> Iterator[None]:
    """Let Python search for no garbage inside, a `with` block or a decorated function.

    A graph of thousands of nodes is made of hundreds of thousands of objects, and all stay: looking
    through them again and again took half of the time of building a step. What is in no cycle is
    freed as ever.

    Example:
        >>> with search_paused():
        ...     gc.isenabled()
        False
    """
    _pauses.begin()
    try:
        yield
    finally:
        _pauses.end()
