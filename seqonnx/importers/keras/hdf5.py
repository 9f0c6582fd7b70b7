"""HDF5 files, read with distrust: nothing outside the file, nothing larger than asked for.

`h5py` is an extra (`seqonnx[keras]`); it is imported on first use.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from seqonnx.errors import ModelFileError

Group = Any
"""An `h5py.Group`; h5py has no types."""

_BROKEN = (OSError, KeyError, RuntimeError, TypeError, UnicodeDecodeError)
_LARGE = 1 << 28
_EXPANSION = 1000
_DTYPE = "dtype"
"""Attribute in which Keras names a dtype that HDF5 lacks."""


def require_h5py() -> Any:
    """Return the module `h5py`.

    Raises:
        ImportError: if it is not installed.

    Example:
        >>> require_h5py().__name__
        'h5py'
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "Keras's files are HDF5 files, which need h5py. Install it with: "
            "pip install 'seqonnx[keras]'"
        ) from error
    return h5py


@contextlib.contextmanager
def open_hdf5(path: Path, content: IO[bytes] | None = None) -> Iterator[Group]:
    """Open an HDF5 file for reading; whatever is broken in it becomes one kind of error.

    Args:
        path: the file, also for errors.
        content: bytes to read in its place, such as a member of an archive.

    Yields:
        The root group.

    Raises:
        ModelFileError: if the file is absent or broken.
    """
    h5py = require_h5py()
    if not path.is_file():
        raise ModelFileError(f"File not found: {path}. Expected an HDF5 file of weights.")
    try:
        with h5py.File(path if content is None else content, "r") as file:
            yield file
    except _BROKEN as error:
        raise ModelFileError(f"{path} is not a whole HDF5 file of weights: {error}") from error


def find_group(parent: Group, path: str) -> Group | None:
    """Return the group at a path, or None where there is none.

    Raises:
        ModelFileError: if the path goes through a link to elsewhere, or ends at a data set.
    """
    found = _find(parent, path)
    if found is not None and not isinstance(found, require_h5py().Group):
        raise ModelFileError(f"{_where(parent)}: '{path}' is not a group.")
    return found


def find_dataset(parent: Group, path: str) -> Any:
    """Return the data set at a path, not read yet, or None where there is none.

    Raises:
        ModelFileError: if it lies outside the file, or is not a data set of numbers.
    """
    found = _find(parent, path)
    if found is None:
        return None
    where = f"{_where(parent)}: '{path}'"
    if not isinstance(found, require_h5py().Dataset):
        raise ModelFileError(f"{where} is not a data set.")
    if found.external or found.is_virtual:
        raise ModelFileError(f"{where} refers to data in other files, which is refused.")
    if found.dtype.kind not in "biuf" and not _is_bfloat16(found):
        raise ModelFileError(f"{where} holds no numbers but {found.dtype}.")
    size = math.prod(found.shape) * found.dtype.itemsize
    if size > _LARGE and size > _EXPANSION * found.id.get_storage_size():
        raise ModelFileError(
            f"{where} claims {size:,} bytes and holds {found.id.get_storage_size():,}; a file that "
            "expands like that is refused."
        )
    return found


def read_dataset(dataset: Any) -> npt.NDArray[Any]:
    """Return the array of a data set that `find_dataset` found."""
    array = np.asarray(dataset[()])
    return array.view(_bfloat16()) if _is_bfloat16(dataset) else array


def write_dataset(group: Group, name: str, array: npt.NDArray[Any]) -> None:
    """Write an array; bfloat16, which HDF5 lacks, as Keras does: two bytes and an attribute."""
    if array.dtype != _bfloat16():
        group.create_dataset(name, data=array)
        return
    group.create_dataset(name, data=array.view("V2")).attrs[_DTYPE] = "bfloat16"


def read_names(group: Group, attribute: str) -> list[str]:
    """Return an attribute that lists names; long lists lie in numbered parts."""
    attributes = group.attrs
    if attribute in attributes:
        return [_text(name) for name in attributes[attribute]]
    names: list[str] = []
    part = 0
    while f"{attribute}{part}" in attributes:
        names += [_text(name) for name in attributes[f"{attribute}{part}"]]
        part += 1
    return names


def _find(parent: Group, path: str) -> Any:
    """Follow a path of hard links; None where it ends."""
    h5py = require_h5py()
    current = parent
    for part in path.split("/"):
        if not isinstance(current, h5py.Group):
            return None
        link = (
            current.get(part, default=None, getlink=True) if part not in {"", ".", ".."} else None
        )
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ModelFileError(
                f"{_where(current)}: '{part}' is a link to another place ({type(link).__name__}), "
                "which is refused."
            )
        current = current[part]
    return current


def _is_bfloat16(dataset: Any) -> bool:
    return bool(dataset.dtype == "V2") and dataset.attrs.get(_DTYPE) == "bfloat16"


def _bfloat16() -> np.dtype[Any]:
    import ml_dtypes

    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype


def _where(group: Group) -> str:
    name = _text(group.file.filename)
    # What is read from inside an archive has no name of its own; whoever opened it gives it one.
    return f"group '{group.name}'" if name.startswith("<") else f"{name}, group '{group.name}'"


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
