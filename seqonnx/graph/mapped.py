"""Large arrays that stay in the data file of a model: mapped into memory, never copied.

What is mapped costs memory only where it is read, once for all that read it, and the system may
take that back. Small models are read as they always were: their file may go once it is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

APART_FROM: Final = 1 << 28
"""Bytes of weights from which a model's large ones stay outside of its messages, in one place.

Below, what ONNX Runtime packs for its products costs little and makes small batches 2 to 3 times
faster; above, it would double the memory of every session.
"""

LARGE: Final = 1 << 16
"""Bytes of an array from which it stays outside."""

_CHUNK: Final = 1 << 24


class Region(NamedTuple):
    """A part of a file.

    Args:
        path: the file.
        offset: where the part begins.
        length: its bytes.
    """

    path: Path
    offset: int
    length: int


class _Identity(NamedTuple):
    """How a file is known again: one that was replaced or written to is another one."""

    device: int
    inode: int
    size: int
    changed: int


_identities: dict[str, _Identity] = {}
"""Files that were mapped, as they were then, by their path."""


def map_array(region: Region, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return an array that lies in a file, read-only.

    Args:
        region: where it lies.
        dtype: its dtype, little-endian.
        shape: its shape.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if the file ends before the array does.
    """
    path = os.path.realpath(region.path)
    _identities[path] = _identity(path)
    return np.memmap(path, dtype, "r", region.offset, shape)


def is_mapped(array: npt.NDArray[Any]) -> bool:
    """Whether an array lies in a file, whole and in order."""
    return _origin(array) is not None and bool(array.flags.c_contiguous)


def region_of(array: npt.NDArray[Any]) -> Region | None:
    """Return where an array lies in a file; None if in none, or if that file is another by now."""
    origin = _origin(array)
    if origin is None or not array.flags.c_contiguous:
        return None
    path = str(origin.filename)
    try:
        if _identities.get(path) != _identity(path):
            return None
    except OSError:
        return None
    start = int(array.ctypes.data) - int(origin.ctypes.data)
    return Region(Path(path), int(origin.offset) + start, array.nbytes)


def chunks_of(array: npt.NDArray[Any]) -> Iterator[bytes]:
    """Yield the bytes of an array, C order; what lies in a file is read from there, not mapped.

    Args:
        array: an array of numbers.
    """
    region = region_of(array)
    if region is None:
        flat = np.asarray(array, order="C").reshape(-1).view(np.uint8)
        for start in range(0, flat.size, _CHUNK):
            yield flat[start : start + _CHUNK].tobytes()
        return
    with open(region.path, "rb") as file:
        file.seek(region.offset)
        left = region.length
        while left > 0:
            chunk = file.read(min(_CHUNK, left))
            if len(chunk) == 0:
                raise OSError(f"{region.path} has become shorter while it was read.")
            left -= len(chunk)
            yield chunk


def read_array(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a copy of an array; what lies in a file is read from there, not mapped."""
    content = bytearray()
    for chunk in chunks_of(array):
        content += chunk
    return np.frombuffer(content, array.dtype).reshape(array.shape)


def write_array(array: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """Write an array to a file of its own; return it as it lies there, mapped.

    Args:
        array: an array of numbers.
        path: the file.
    """
    with open(path, "wb") as file:
        for chunk in chunks_of(array):
            file.write(chunk)
    return map_array(Region(path, 0, array.nbytes), array.dtype, array.shape)


def _origin(array: npt.NDArray[Any]) -> np.memmap[Any, Any] | None:
    """The mapping that an array is a view of, if it is one that was made here."""
    current: Any = array
    while current is not None:
        base = getattr(current, "base", None)
        if isinstance(current, np.memmap) and not isinstance(base, np.ndarray):
            return current if str(current.filename) in _identities else None
        current = base
    return None


def _identity(path: str) -> _Identity:
    found = os.stat(path)
    return _Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
