"""Memory freed while a session opens goes back to the system, and weights are in memory once."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from seqonnx.runtime import freed_memory
from seqonnx.runtime.freed_memory import MUCH, give_back, returned_at_once

pytestmark = pytest.mark.skipif(
    freed_memory._library() is None, reason="only the GNU C library keeps what is freed"
)

FRESH = """
import numpy as np
from seqonnx.runtime.freed_memory import MUCH, returned_at_once

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def used(inside):
    before = resident()
    with returned_at_once(inside):
        blocks = [np.ones(1 << (14 if i % 2 else 20), np.uint8) for i in range(128)]
        small = blocks[1::2]  # one behind each large one
        del blocks
        return resident() - before - len(small) * (1 << 14)

large = np.ones(1 << 24, np.uint8)
del large  # from here on the library keeps what is freed
print(used(0), used(MUCH))
"""


def test_blocks_that_are_freed_inside_are_returned_at_once():
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True)
    kept, returned = map(int, done.stdout.split())
    assert kept > 60 << 20
    assert returned < 8 << 20


@pytest.mark.parametrize("fails", [False, True])
def test_the_thresholds_rise_again_after_it(monkeypatch, fails):
    calls = []

    class Library:
        mallopt = staticmethod(lambda what, value: calls.append((what, value)))
        malloc_trim = staticmethod(lambda pad: calls.append("trim"))

    monkeypatch.setattr(freed_memory, "_library", lambda: Library)
    try:
        with returned_at_once(MUCH):
            calls.append("inside")
            if fails:
                raise KeyError
    except KeyError:
        calls.append("failed")
    low, high = (-3, 1 << 17), [(-3, 1 << 25), (-1, 1 << 26)]
    assert calls == ["trim", low, "inside", *high, "failed" if fails else "trim"]


def test_little_is_left_to_the_library_and_others_are_left_alone(monkeypatch):
    monkeypatch.setattr(freed_memory, "_library", lambda: pytest.fail("asked for the library"))
    with returned_at_once(MUCH - 1):
        give_back(MUCH - 1)
    monkeypatch.setattr(freed_memory, "_library", lambda: None)
    with returned_at_once(MUCH):
        give_back(MUCH)


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_there_is_no_such_library_elsewhere(monkeypatch, system):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("loaded a library"))
    assert freed_memory._library.__wrapped__() is None
