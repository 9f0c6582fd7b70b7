"""InceptionV3: C. Szegedy et al., "Rethinking the Inception Architecture", 2016."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from seqonnx.applications import imagenet
from seqonnx.applications.application import application
from seqonnx.applications.assembly import ApplicationOptions
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.downloads import RemoteFile
from seqonnx.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    GlobalAveragePooling2D,
    MaxPooling2D,
)
from seqonnx.symbolic import SymbolicTensor

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

_URL: Final = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
    "inception_v3_weights_tf_dim_ordering_tf_kernels"
)

Convolution = tuple[int, int | tuple[int, int]]
"""Filters and size of the window."""

Branch = Sequence[Convolution]


@application(
    name="inception_v3",
    size=299,
    least=75,
    parameters=23_851_784,
    features=2048,
    full=RemoteFile(f"{_URL}.h5", "9a0d58056eeedaa3f26cb7ebd46da564"),
    headless=RemoteFile(f"{_URL}_notop.h5", "bcbd6486424b2319ff4ef7d526e38f63"),
)
def InceptionV3(entry: SymbolicTensor, options: ApplicationOptions) -> Any:  # noqa: N802 - Keras's name
    """Return the output of the network."""
    x = stem(entry)
    for index, pooled in enumerate((32, 64, 64)):
        x = _mixed(x, index, [[(64, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)]], pooled)
    x = _shrunk(x, 3, [[(384, 3)], [(64, 1), (96, 3), (96, 3)]])
    for index, inner in ((4, 128), (5, 160), (6, 160), (7, 192)):
        short: Branch = [(inner, 1), (inner, (1, 7)), (192, (7, 1))]
        long: Branch = [(inner, 1), (inner, (7, 1)), (inner, (1, 7)), (inner, (7, 1))]
        x = _mixed(x, index, [[(192, 1)], short, [*long, (192, (1, 7))]], 192)
    x = _shrunk(x, 8, [[(192, 1), (320, 3)], [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)]])
    for index in range(2):
        x = _forked(x, index)
    if options.include_top:
        return options.classify(GlobalAveragePooling2D(name="avg_pool")(x))
    return options.pool(x)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Return images of 0 … 255 scaled to -1 … 1.

    Example:
        >>> float(preprocess_input([[[255, 0, 127.5]]]).max())
        1.0
    """
    return imagenet.preprocess_input(x, data_format, "tf")


def stem(x: Any) -> Any:
    """Add the layers before the first block: 35 x 35 x 192 of 299 x 299."""
    x = convolved(x, 32, 3, 2, "valid")
    x = convolved(x, 32, 3, 1, "valid")
    x = MaxPooling2D(3, 2)(convolved(x, 64, 3))
    x = convolved(x, 80, 1, 1, "valid")
    return MaxPooling2D(3, 2)(convolved(x, 192, 3, 1, "valid"))


def along(x: Any, branch: Branch, *, shrinks: bool = False) -> Any:
    """Add convolutions one after another; the last may halve height and width."""
    for index, (filters, window) in enumerate(branch, start=1):
        last = shrinks and index == len(branch)
        x = convolved(x, filters, window, *((2, "valid") if last else (1, "same")))
    return x


def convolved(
    x: Any,
    filters: int,
    window: int | tuple[int, int],
    strides: int = 1,
    padding: str = "same",
    names: tuple[str, str, str] | tuple[None, None, None] = (None, None, None),
) -> Any:
    """Add a convolution, a batch normalization and ReLU, whose names are given together."""
    x = Conv2D(filters, window, strides, padding, use_bias=False, name=names[0])(x)
    return Activation("relu", name=names[2])(BatchNormalization(scale=False, name=names[1])(x))


def _mixed(x: Any, index: int, branches: Sequence[Branch], pooled: int) -> Any:
    """Branches beside each other, the last of means."""
    found = [along(x, branch) for branch in branches]
    found.append(convolved(AveragePooling2D(3, 1, "same")(x), pooled, 1))
    return Concatenate(name=f"mixed{index}")(found)


def _shrunk(x: Any, index: int, branches: Sequence[Branch]) -> Any:
    """Branches that halve height and width, the last by a pooling."""
    found = [along(x, branch, shrinks=True) for branch in branches]
    return Concatenate(name=f"mixed{index}")([*found, MaxPooling2D(3, 2)(x)])


def _forked(x: Any, index: int) -> Any:
    """Branches that part once more, into wide and high windows."""
    single = convolved(x, 320, 1)
    found = [single]
    for branch, name in (([(384, 1)], f"mixed9_{index}"), ([(448, 1), (384, 3)], None)):
        inner = along(x, branch)
        forks = [convolved(inner, 384, (1, 3)), convolved(inner, 384, (3, 1))]
        found.append(Concatenate(name=name)(forks))
    found.append(convolved(AveragePooling2D(3, 1, "same")(x), 192, 1))
    return Concatenate(name=f"mixed{9 + index}")(found)
