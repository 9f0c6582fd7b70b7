"""Changes: numbers for whatever graphs depend on, so that what is old can be told.

A change of variables or of a layer's settings gets the next number at the moment when it is seen.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_changes = itertools.count(1)
_last_change = 0
_last_setting = 0
_settled_change = 0
_committing = threading.RLock()


def last_change() -> int:
    """Number of the newest change of any variable: equal numbers mean that nothing changed.

    The change itself may be seen a moment later; see `settled_change`.
    """
    return _last_change


def settled_change() -> int:
    """Number of a change, mostly the newest: all up to it are seen by now."""
    return _settled_change


def commit(publish: Callable[[int], Any]) -> int:
    """Number a change and make it seen.

    Args:
        publish: takes the number, and makes the change seen by storing one reference.

    Returns:
        The number.
    """
    global _last_change, _settled_change  # noqa: PLW0603 - one for the process is the point
    with _committing:
        # In this order, for an interrupt in between: it costs readers a second look.
        _last_change = number = next(_changes)
        publish(number)
        _settled_change = number
    return number


def _start_child() -> None:
    """Begin in a forked child: another thread of the parent may have held the lock.

    The number has everyone look again whether a session that was inherited can be used.
    """
    global _committing, _last_change  # noqa: PLW0603 - one of each for the process is the point
    _committing = threading.RLock()
    _last_change = next(_changes)


if os.name == "posix":
    os.register_at_fork(after_in_child=_start_child)


@contextmanager
def committing() -> Iterator[None]:
    """Let no other change be made inside."""
    with _committing:
        yield


def last_setting() -> int:
    """Number of the newest change of what a layer emits: graphs made before it are old."""
    return _last_setting


def note_setting() -> int:
    """Record that a layer will emit other nodes; return the number of the change."""
    return commit(_publish_setting)


def _publish_setting(number: int) -> None:
    global _last_setting  # noqa: PLW0603 - one counter for the process is the point
    _last_setting = number
