"""CIFAR-100: 60,000 coloured pictures of 100 kinds in 20 groups, 32 x 32.

Data: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

from seqonnx.datasets import cifar
from seqonnx.datasets.published import Pair

__all__ = ["load_data"]

_SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(label_mode: str = "fine") -> tuple[Pair, Pair]:
    """Load the pictures.

    Args:
        label_mode: `"fine"` for the 100 kinds, `"coarse"` for the 20 groups.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: 50,000 and 10,000 pictures, uint8 of shape
        `(n, 32, 32, 3)`, or `(n, 3, 32, 32)` where `config.image_data_format()` says so, and
        labels, int64 of shape `(n, 1)`.

    Raises:
        ConnectionError: if the file is not in the cache and cannot be downloaded.
        ValueError: if the file is damaged, or `label_mode` is unknown.
    """
    if label_mode not in {"fine", "coarse"}:
        raise ValueError(
            f'`label_mode` must be one of `"fine"`, `"coarse"`. Received: label_mode={label_mode}.'
        )
    folder = cifar.folder(
        "cifar-100-python.tar.gz", "cifar-100-python-target", "cifar-100-python", _SHA256
    )
    labels = f"{label_mode}_labels"
    return cifar.read(folder / "train", labels), cifar.read(folder / "test", labels)
