"""The layers of VGG16 and VGG19."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqonnx.applications import imagenet
from seqonnx.applications.assembly import ApplicationOptions
from seqonnx.layers import Conv2D, Dense, Flatten, MaxPooling2D
from seqonnx.symbolic import SymbolicTensor


def layers_of(
    entry: SymbolicTensor, options: ApplicationOptions, convolutions: Sequence[int]
) -> Any:
    """Return the output of a VGG network.

    Args:
        entry: its input.
        options: arguments of the application.
        convolutions: number of convolutions in each block.
    """
    x: Any = entry
    for block, count in enumerate(convolutions, start=1):
        filters = min(64 * 2 ** (block - 1), 512)
        for index in range(1, count + 1):
            conv = Conv2D(
                filters, 3, padding="same", activation="relu", name=f"block{block}_conv{index}"
            )
            x = conv(x)
        x = MaxPooling2D(2, 2, name=f"block{block}_pool")(x)
    if options.include_top:
        x = Flatten(name="flatten")(x)
        x = Dense(4096, "relu", name="fc1")(x)
        x = options.classify(Dense(4096, "relu", name="fc2")(x))
    else:
        x = options.pool(x)
    return x


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Return RGB images of 0 … 255 as BGR with ImageNet's mean taken away.

    Example:
        >>> preprocess_input([[[0.0, 0.0, 255.0]]]).round(3).tolist()
        [[[151.061, -116.779, -123.68]]]
    """
    return imagenet.preprocess_input(x, data_format, "caffe")
