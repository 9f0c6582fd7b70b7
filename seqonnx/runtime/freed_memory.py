"""Freed memory that goes back to the system, where the C library would keep it for later.

While a session opens, ONNX Runtime's optimizer makes new weights from the old, set after set. The
GNU C library keeps what is freed of them between other blocks. With a frozen Xception, 80 MB of
weights, the process stood at 650 MiB before its first step; blocks with mappings of their own make
that 450, for 0.1 s.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

MUCH: Final = 16 << 20
"""Bytes from which on it is worth the time."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_LOWEST: Final = 1 << 17  # where the second stands when a process starts
_HIGHEST: Final = 1 << 25  # where the library lets it rise to, with the first at twice as much
_lock = threading.Lock()


@contextlib.contextmanager
def returned_at_once(bytes_used: int) -> Iterator[None]:
    """Let every large block that is freed inside go back to the system at once.

    Elsewhere than on Linux with the GNU C library this does nothing.

    Args:
        bytes_used: about what is allocated inside; below `MUCH` nothing is done.
    """
    if bytes_used < MUCH or _library() is None:
        yield
        return
    give_back(bytes_used)
    with _lock:
        _library().mallopt(_MMAP_THRESHOLD, _LOWEST)
        try:
            yield
        finally:
            # It no longer rises by itself now, as it has when large arrays were freed before.
            _library().mallopt(_MMAP_THRESHOLD, _HIGHEST)
            _library().mallopt(_TRIM_THRESHOLD, 2 * _HIGHEST)
    give_back(bytes_used)


def give_back(bytes_freed: int) -> None:
    """Give memory that is free back to the system.

    Args:
        bytes_freed: about what was freed before; below `MUCH` nothing is done.
    """
    if bytes_freed >= MUCH and _library() is not None:
        _library().malloc_trim(0)


@cache
def _library() -> Any:
    """The GNU C library; None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    try:
        found = (library.mallopt, library.malloc_trim)
    except AttributeError:  # another C library
        return None
    return library if all(found) else None
