"""Interrupts at a chosen line of seqonnx."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import seqonnx

ROOT = str(Path(seqonnx.__file__).parent)


def interrupted_at(line: int, action: Callable[[], object]) -> bool:
    """Run `action`, with a KeyboardInterrupt at the line of seqonnx that is number `line` to run.

    Lines are counted as they are run, in this thread. The line of a `with` is left out: a signal is
    not delivered between the end of its block and the call that ends it, as a tracer can be.

    Returns:
        Whether the action was interrupted; False if it ended before.
    """
    left = line

    def trace(frame, event, _):
        nonlocal left
        if not frame.f_code.co_filename.startswith(ROOT):
            return None
        if event == "line":
            source = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            if not source.lstrip().startswith("with "):
                left -= 1
                if left == 0:
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
    return left <= 0  # interrupted where exceptions go nowhere, such as in a finalizer


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
