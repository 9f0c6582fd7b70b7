"""Files that Keras publishes: fetched by the cache, and read without running what they hold."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from seqonnx.cached_files import get_file

Array = npt.NDArray[Any]
Pair = tuple[Array, Array]

FOLDER: Final = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

# All that the pickles of NumPy's arrays need; the first is known under two paths.
_RECONSTRUCT: Final = np.zeros(0).__reduce__()[0]
_ALLOWED: Final[dict[tuple[str, str], Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    """Reads pickles of NumPy's arrays, lists, dicts and numbers."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class or function that is known to be harmless."""
        if (module, name) not in _ALLOWED:
            raise ValueError(
                f"The file asks for `{module}.{name}`, which a data set does not need: it is "
                "damaged, or made to do harm. Nothing of it was run."
            )
        return _ALLOWED[module, name]


def read_npz(path: str | Path) -> dict[str, Array]:
    """Return the arrays of an `.npz` file, also those of lists.

    Raises:
        ValueError: if it is no such file, or holds more than arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name.removesuffix(".npy"): _read_npy(archive.read(name))
                for name in archive.namelist()
            }
    except zipfile.BadZipFile as error:
        raise ValueError(f"'{path}' is not an .npz file, or it is truncated ({error}).") from error


def _read_npy(content: bytes) -> Array:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version[0] == 1 else None
    _, _, dtype = (header or np.lib.format.read_array_header_2_0)(file)
    if dtype.hasobject:
        return np.asarray(_ArraysOnly(file).load())
    return np.asarray(np.lib.format.read_array(io.BytesIO(content), allow_pickle=False))


def read_pickle(path: str | Path) -> dict[str, Any]:
    """Return the dict that a pickle of Python 2 holds, its keys as text."""
    with Path(path).open("rb") as file:
        content = _ArraysOnly(file, encoding="bytes").load()
    return {key.decode("utf-8"): value for key, value in content.items()}


def read_json(path: str | Path) -> Any:
    """Return what a JSON file holds."""
    with Path(path).open(encoding="utf-8") as file:
        return json.load(file)


def of_keras(path: str, name: str, file_hash: str) -> str:
    """Return the path of a file that Keras publishes.

    Args:
        path: name of the copy in the cache, or the path of a file.
        name: name of the published file.
        file_hash: its checksum, which a copy in the cache must have.
    """
    if Path(path).name != path:
        return path
    return get_file(path, origin=FOLDER + name, file_hash=file_hash)


def shuffled(seed: int, *arrays: Array) -> list[Array]:
    """Return arrays in the order that Keras has for a seed."""
    order = np.arange(len(arrays[0]))
    np.random.RandomState(seed).shuffle(order)
    return [array[order] for array in arrays]


def check_test_split(test_split: float) -> None:
    """Raise a ValueError unless a share is in [0, 1)."""
    if not 0 <= test_split < 1:
        raise ValueError(f"`test_split` must be in [0, 1). Received: test_split={test_split!r}")


def split(x: Array, y: Array, test_split: float) -> tuple[Pair, Pair]:
    """Return the first samples, to train on, and the last, to test with."""
    count = int(len(x) * (1 - test_split))
    return (x[:count], y[:count]), (x[count:], y[count:])
