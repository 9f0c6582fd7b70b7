"""HDF5's heaps of strings, looked at before HDF5 reads them: it never comes back from a bad one.

A global heap is a chain of objects, each with its size; HDF5 (1.14) adds the sizes up without a
look at them, so that a size of zero, or one that wraps around, leads back to the same object.
Layout: HDF5 File Format Specification, version 3.0, section III.E, "Global Heap".
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Final

from seqonnx.errors import ModelFileError

_HEAP: Final = b"GCOL\x01\x00\x00\x00"
_HEADER: Final = 16
_ALIGNMENT: Final = 8


def refuse_endless_heaps(path: Path) -> None:
    """Raise a ModelFileError for a heap that HDF5 does not come to the end of.

    Args:
        path: an HDF5 file.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = data.find(_HEAP)
            while at >= 0:
                if not _ends(data, at):
                    raise ModelFileError(
                        f"{path} is damaged: the heap of strings at byte {at:,} has an object "
                        "whose size leads nowhere."
                    )
                at = data.find(_HEAP, at + len(_HEAP))


def _ends(data: mmap.mmap, start: int) -> bool:
    """Whether the objects of a heap follow each other to its end."""
    at = start + _HEADER
    end = start + _number(data, start + 8, 8)
    while at + _HEADER <= min(end, len(data)):
        size = _number(data, at + 8, 8)
        if _number(data, at, 2) == 0:  # what is free; its size counts its header
            return _HEADER <= size <= end - at
        if size > end - at:
            return False
        at += _HEADER + size + -size % _ALIGNMENT
    return True


def _number(data: mmap.mmap, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
