"""The arrays of an `.npz` file, read with distrust: only what is asked for, never a pickle.

An archive says of each array what it is before its elements come: dtype and shape are read first,
and held against the size of the member, so that nothing is allocated that the file does not hold.
"""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from seqonnx.errors import ModelFileError
from seqonnx.graph.archives import checked_members
from seqonnx.graph.damage import reading

_ENDING = ".npy"
_LARGEST_HEADER = 10_000
_SHOWN = 16


@dataclass(frozen=True)
class StoredArray:
    """An array of an archive, not read yet."""

    archive: zipfile.ZipFile
    member: zipfile.ZipInfo
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self) -> npt.NDArray[Any]:
        """Return its elements."""
        with self.archive.open(self.member) as file:
            return np.lib.format.read_array(
                file, allow_pickle=False, max_header_size=_LARGEST_HEADER
            )


@contextlib.contextmanager
def open_arrays(path: Path) -> Iterator[Mapping[str, StoredArray]]:
    """Open an `.npz` file.

    Args:
        path: the file.

    Yields:
        Its arrays by name, which can be read while it is open.

    Raises:
        ModelFileError: if the file is absent, broken or hostile.
    """
    if not path.is_file():
        raise ModelFileError(f"File not found: {path}. Expected an `.npz` file of weights.")
    with reading(path, refusals=True):
        _refuse_other_kinds(path)
        with zipfile.ZipFile(path) as archive:
            members = checked_members(archive, path, refuse_bombs=False)
            yield {
                name.removesuffix(_ENDING): _look(archive, member, path)
                for name, member in members.items()
            }


def _refuse_other_kinds(path: Path) -> None:
    """Say what the file is, if it is no zip archive."""
    with path.open("rb") as file:
        start = file.read(_SHOWN)
    if start.startswith(b"\x93NUMPY"):
        raise ModelFileError(
            f"{path} is not an `.npz` file of weights: it holds a single array, as `numpy.save` "
            "writes it."
        )
    if not start.startswith(b"PK"):
        raise ModelFileError(
            f"{path} is not an `.npz` file of weights: those are zip archives, and this begins "
            f"with {start!r}. `save_weights` writes such files."
        )


def _look(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> StoredArray:
    """Read what an array is, not its elements."""
    where = f"{path} is not an `.npz` file of weights: '{member.filename}'"
    if not member.filename.endswith(_ENDING):
        raise ModelFileError(f"{where} is no array.")
    with archive.open(member) as file, reading(f"{path}, member '{member.filename}',"):
        shape, dtype = _header(file)
        start = file.tell()
    if dtype.hasobject:
        raise ModelFileError(f"{where} holds Python objects, which are never read from a file.")
    claimed = math.prod(shape) * dtype.itemsize
    if any(size < 0 for size in shape) or start + claimed != member.file_size:
        raise ModelFileError(
            f"{where} claims an array of shape {shape} and dtype {dtype}, which takes {claimed:,} "
            f"bytes, and holds {member.file_size - start:,}."
        )
    return StoredArray(archive, member, shape, dtype)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of an array."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file, _LARGEST_HEADER)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file, _LARGEST_HEADER)
    return shape, dtype
