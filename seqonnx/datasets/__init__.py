"""Small data sets to train on: one carried in the package, one read from a file you have.

`load_digits()` works everywhere at once; `mnist.load_data()` reads the `mnist.npz` that Keras
users know. Nothing here downloads, and only NumPy is imported.
"""

from seqonnx.datasets import mnist
from seqonnx.datasets.digits import load_digits

__all__ = ["load_digits", "mnist"]


def __dir__() -> list[str]:
    return sorted(__all__)
