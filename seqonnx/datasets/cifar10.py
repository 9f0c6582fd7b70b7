"""CIFAR-10: 60,000 coloured pictures of 10 kinds, 32 x 32.

Data: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import numpy as np

from seqonnx.datasets import cifar
from seqonnx.datasets.published import Pair

__all__ = ["load_data"]

_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def load_data() -> tuple[Pair, Pair]:
    """Load the pictures.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: 50,000 and 10,000 pictures, uint8 of shape
        `(n, 32, 32, 3)`, or `(n, 3, 32, 32)` where `config.image_data_format()` says so, and labels
        0 to 9, uint8 of shape `(n, 1)`.

    Raises:
        ConnectionError: if the file is not in the cache and cannot be downloaded.
        ValueError: if the file is damaged.
    """
    folder = cifar.folder(
        "cifar-10-python.tar.gz", "cifar-10-batches-py-target", "cifar-10-batches-py", _SHA256
    )
    parts = [cifar.read(folder / f"data_batch_{number}", "labels") for number in range(1, 6)]
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    x_test, y_test = cifar.read(folder / "test_batch", "labels")
    return (x, y.astype(np.uint8)), (x_test, y_test.astype(np.uint8))
