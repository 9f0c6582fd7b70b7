"""Small data sets to train on: one carried in the package, and those that Keras publishes.

`load_digits()` works everywhere at once. The others are fetched once, by `utils.get_file`, with
Keras's URLs and checksums, and a copy that Keras has fetched is taken.
"""

from seqonnx.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)
from seqonnx.datasets.digits import load_digits

__all__ = [
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "load_digits",
    "mnist",
    "reuters",
]


def __dir__() -> list[str]:
    return sorted(__all__)
