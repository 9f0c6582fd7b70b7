"""Interrupts at a chosen line of seqonnx."""

from __future__ import annotations

import linecache
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import seqonnx

ROOT = str(Path(seqonnx.__file__).parent)


def interrupted_at(line: int, action: Callable[[], object]) -> bool:
    """Run `action`, with a KeyboardInterrupt at the line of seqonnx that is number `line` to run.

    Lines are counted as they are run, in this thread. The line of a `with` is left out: a signal is
    not delivered between the end of its block and the call that ends it, as a tracer can be. In a
    finalizer, which garbage of another test may call at any line, an exception would go nowhere:
    the first line after it is taken.

    Returns:
        Whether the action was interrupted; False if it ended before.
    """
    left, raised = line, False

    def trace(frame, event, _):
        nonlocal left, raised
        if not frame.f_code.co_filename.startswith(ROOT):
            return None
        if event == "line":
            source = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            if not source.lstrip().startswith("with "):
                left -= 1
                if left <= 0 and not _is_finalizing(frame):
                    raised = True
                    raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return raised  # where exceptions go nowhere, it did not arrive here


def _is_finalizing(frame: FrameType | None) -> bool:
    """Whether a frame is called by a finalizer."""
    while frame is not None and frame.f_code.co_filename != weakref.__file__:
        frame = frame.f_back
    return frame is not None


def at_every_line(action: Callable[[], object], stride: int = 1) -> Iterator[int]:
    """Interrupt `action` at its first line, at its second, and so on; yield after each time.

    Args:
        action: what to run, again and again.
        stride: lines from one interrupt to the next.

    Yields:
        The number of the line.
    """
    line = 1
    while interrupted_at(line, action):
        yield line
        line += stride
