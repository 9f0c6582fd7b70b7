"""Fashion-MNIST: 70,000 pictures of clothes of 10 kinds, 28 x 28.

Data: H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms", 2017, licensed MIT.
"""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import numpy.typing as npt

from seqonnx.cached_files import get_file
from seqonnx.datasets.published import FOLDER, Pair

__all__ = ["load_data"]

_LABELS_AT, _PICTURES_AT = 8, 16  # bytes of the header of an IDX file of one and of three axes


def load_data() -> tuple[Pair, Pair]:
    """Load the pictures.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: 60,000 and 10,000 pictures, uint8 of shape
        `(n, 28, 28)`, and labels 0 to 9, uint8 of shape `(n,)`.

    Raises:
        ConnectionError: if a file is not in the cache and cannot be downloaded.
        ValueError: if a file is damaged.
    """
    return _part("train"), _part("t10k")


def _part(name: str) -> Pair:
    labels = _bytes(f"{name}-labels-idx1-ubyte.gz", _LABELS_AT)
    pictures = _bytes(f"{name}-images-idx3-ubyte.gz", _PICTURES_AT)
    if len(pictures) != len(labels) * 28 * 28:
        raise ValueError(
            f"The pictures of Fashion-MNIST do not match their labels: {len(pictures)} pixels for "
            f"{len(labels)} labels in '{name}-*.gz'. Remove the files from the cache."
        )
    return pictures.reshape(len(labels), 28, 28), labels


def _bytes(name: str, offset: int) -> npt.NDArray[Any]:
    path = get_file(name, origin=FOLDER + name, cache_subdir="datasets/fashion-mnist")
    with gzip.open(path, "rb") as file:
        return np.frombuffer(file.read(), np.uint8, offset=offset)
