"""Forked children: what they inherit of ONNX Runtime, and may neither use nor destroy.

A forked child has one thread. Sessions of the parent have threads that are not there: a session's
destructor waits for them for ever, and so does the destructor of ONNX Runtime itself when the
process ends. New sessions work. So a child opens its sessions anew, leaves those of its parent
alone, and ends without running the destructors of the parent's libraries.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from seqonnx.errors import DeviceError

_generation = 0
_making = threading.RLock()
_cuda_used = False
_cuda_lost = False
_sessions: weakref.WeakSet[Any] = weakref.WeakSet()
_owners: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()


def making() -> threading.RLock:
    """Return the lock to hold while something is made that several threads may find missing."""
    return _making


def generation() -> int:
    """Number of forks that lie between the first process and this one."""
    return _generation


def note_session(session: Any, *, on_cuda: bool) -> None:
    """Remember an `onnxruntime.InferenceSession`, so that a forked child does not destroy it."""
    global _cuda_used  # noqa: PLW0603 - a fact about the process
    _sessions.add(session)
    _cuda_used = _cuda_used or on_cuda


def renewed_in_children(owner: Any, renew: Callable[[Any], None]) -> None:
    """Have something renewed in a forked child, such as a lock that a thread may have held.

    Args:
        owner: what has it; it must be hashable, and may die.
        renew: called with the owner, in the child.
    """
    _owners[owner] = renew


def require_usable_cuda() -> None:
    """Raise a DeviceError in a process that was forked after CUDA was used."""
    if _cuda_lost:
        raise DeviceError(
            "CUDA cannot be used in this process: it was forked from one that had used CUDA, and "
            "what lies on the GPU does not come along. Start processes with the 'spawn' method, "
            "`multiprocessing.get_context('spawn')`, or fork before the first model runs."
        )


def _start_child() -> None:
    """Give up what cannot live on; runs first thing in a forked child."""
    global _generation, _cuda_lost, _making  # noqa: PLW0603 - facts about the process
    _generation += 1
    _making = threading.RLock()
    _cuda_lost = _cuda_lost or _cuda_used
    for session in list(_sessions):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
    for owner, renew in list(_owners.items()):
        renew(owner)
    if "onnxruntime" in sys.modules:
        _end_without_destructors()


def _end_without_destructors() -> None:
    """Have the process end where C's exit handlers begin, with its exit status.

    Python has flushed its files and run its own exit handlers by then.
    """
    library = ctypes.CDLL(None)
    try:
        library.on_exit(library._exit, None)  # handlers get the exit status first
    except AttributeError:  # only the GNU library has it
        return


if os.name == "posix":
    os.register_at_fork(after_in_child=_start_child)
