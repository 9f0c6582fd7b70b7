"""DenseNet: G. Huang et al., "Densely Connected Convolutional Networks", 2017."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from seqonnx.applications import imagenet
from seqonnx.applications.application import Application, application
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
    ZeroPadding2D,
)
from seqonnx.symbolic import SymbolicTensor

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

_URL: Final = "https://storage.googleapis.com/tensorflow/keras-applications/densenet/"
_GROWTH = 32
"""Channels that every convolution adds."""


def _densenet(
    title: str, counts: Sequence[int], parameters: int, features: int, md5: Sequence[str]
) -> Application:
    """Make a function for the number of convolutions in each block."""

    def network(entry: SymbolicTensor, options: ApplicationOptions) -> Any:
        x = Conv2D(64, 7, 2, use_bias=False, name="conv1_conv")(ZeroPadding2D(3)(entry))
        x = _activated(x, "conv1")
        x = MaxPooling2D(3, 2, name="pool1")(ZeroPadding2D(1)(x))
        for stage, count in enumerate(counts, start=2):
            x = x if stage == 2 else _transition(x, f"pool{stage - 1}")
            for index in range(1, count + 1):
                x = _grown(x, f"conv{stage}_block{index}")
        x = BatchNormalization(epsilon=1.001e-5, name="bn")(x)
        x = Activation("relu", name="relu")(x)
        if options.include_top:
            return options.classify(GlobalAveragePooling2D(name="avg_pool")(x))
        return options.pool(x, named=True)

    stem = f"{_URL}{title.lower()}_weights_tf_dim_ordering_tf_kernels"
    return application(
        title=title,
        size=224,
        least=32,
        parameters=parameters,
        features=features,
        full=RemoteFile(f"{stem}.h5", md5[0]),
        headless=RemoteFile(f"{stem}_notop.h5", md5[1]),
    )(network)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Return images of 0 … 255 scaled to 0 … 1, less ImageNet's mean, over its deviation.

    Example:
        >>> preprocess_input([[[0.0, 0.0, 255.0]]]).round(3).tolist()
        [[[-2.118, -2.036, 2.64]]]
    """
    return imagenet.preprocess_input(x, data_format, "torch")


def _grown(x: Any, name: str) -> Any:
    """Add channels, made of all that are there."""
    new = Conv2D(4 * _GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(_activated(x, f"{name}_0"))
    new = _activated(new, f"{name}_1")
    new = Conv2D(_GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return Concatenate(name=f"{name}_concat")([x, new])


def _transition(x: Any, name: str) -> Any:
    """Halve channels, height and width."""
    x = _activated(x, name)
    x = Conv2D(x.shape[-1] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return AveragePooling2D(2, 2, name=f"{name}_pool")(x)


def _activated(x: Any, name: str) -> Any:
    x = BatchNormalization(epsilon=1.001e-5, name=f"{name}_bn")(x)
    return Activation("relu", name=f"{name}_relu")(x)


DenseNet121 = _densenet(
    "DenseNet121",
    (6, 12, 24, 16),
    8_062_504,
    1024,
    ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
)
DenseNet169 = _densenet(
    "DenseNet169",
    (6, 12, 32, 32),
    14_307_880,
    1664,
    ("d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
)
DenseNet201 = _densenet(
    "DenseNet201",
    (6, 12, 48, 32),
    20_242_984,
    1920,
    ("1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
)
