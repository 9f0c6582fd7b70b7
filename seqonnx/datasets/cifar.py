"""The form of the files of CIFAR: rows of 3,072 bytes, a colour after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.cached_files import get_file
from seqonnx.config import image_data_format
from seqonnx.datasets.published import read_pickle

URL = "https://www.cs.toronto.edu/~kriz/"


def folder(name: str, kept_as: str, inside: str, file_hash: str) -> Path:
    """Return the folder of the unpacked archive."""
    path = get_file(kept_as, origin=URL + name, extract=True, file_hash=file_hash)
    return Path(path) / inside


def read(path: Path, labels: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
    """Return the pictures of a file and their labels, of shape `(n, 1)`."""
    content = read_pickle(path)
    pictures = np.asarray(content["data"], np.uint8).reshape(-1, 3, 32, 32)
    if image_data_format() == "channels_last":
        pictures = pictures.transpose(0, 2, 3, 1)
    return pictures, np.reshape(content[labels], (-1, 1))
