"""ResNet: K. He et al., "Deep Residual Learning for Image Recognition", 2015."""

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
    Add,
    BatchNormalization,
    Conv2D,
    GlobalAveragePooling2D,
    MaxPooling2D,
    ZeroPadding2D,
)
from seqonnx.symbolic import SymbolicTensor

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

_URL: Final = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
_EPSILON = 1.001e-5


def published(network: str, md5: str, *, top: bool) -> RemoteFile:
    """Return the file of the weights of a network."""
    ending = ".h5" if top else "_notop.h5"
    return RemoteFile(f"{_URL}{network}_weights_tf_dim_ordering_tf_kernels{ending}", md5)


def _resnet(title: str, counts: Sequence[int], parameters: int, md5: Sequence[str]) -> Application:
    """Make a function for the number of blocks in each stage."""

    def network(entry: SymbolicTensor, options: ApplicationOptions) -> Any:
        x = ZeroPadding2D(3, name="conv1_pad")(entry)
        x = normalized(Conv2D(64, 7, 2, name="conv1_conv")(x), "conv1_bn")
        x = Activation("relu", name="conv1_relu")(x)
        x = ZeroPadding2D(1, name="pool1_pad")(x)
        x = MaxPooling2D(3, 2, name="pool1_pool")(x)
        for stage, count in enumerate(counts, start=2):
            for index in range(1, count + 1):
                strides = 2 if index == 1 and stage > 2 else 1
                name = f"conv{stage}_block{index}"
                x = _block(x, 16 * 2**stage, strides, name, projected=index == 1)
        if options.include_top:
            return options.classify(GlobalAveragePooling2D(name="avg_pool")(x))
        return options.pool(x, named=True)

    return application(
        title=title,
        size=224,
        least=32,
        parameters=parameters,
        features=2048,
        full=published(title.lower(), md5[0], top=True),
        headless=published(title.lower(), md5[1], top=False),
    )(network)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Return RGB images of 0 … 255 as BGR with ImageNet's mean taken away.

    Example:
        >>> preprocess_input([[[0.0, 0.0, 255.0]]]).round(3).tolist()
        [[[151.061, -116.779, -123.68]]]
    """
    return imagenet.preprocess_input(x, data_format, "caffe")


def normalized(x: Any, name: str) -> Any:
    """Add a batch normalization with the epsilon of all ResNets."""
    return BatchNormalization(epsilon=_EPSILON, name=name)(x)


def _block(x: Any, filters: int, strides: int, name: str, *, projected: bool) -> Any:
    """Three convolutions beside the identity, or beside a convolution where the shape changes."""
    shortcut = x
    if projected:
        shortcut = Conv2D(4 * filters, 1, strides, name=f"{name}_0_conv")(x)
        shortcut = normalized(shortcut, f"{name}_0_bn")
    x = normalized(Conv2D(filters, 1, strides, name=f"{name}_1_conv")(x), f"{name}_1_bn")
    x = Activation("relu", name=f"{name}_1_relu")(x)
    x = Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x)
    x = Activation("relu", name=f"{name}_2_relu")(normalized(x, f"{name}_2_bn"))
    x = normalized(Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x), f"{name}_3_bn")
    x = Add(name=f"{name}_add")([shortcut, x])
    return Activation("relu", name=f"{name}_out")(x)


ResNet50 = _resnet(
    "ResNet50",
    (3, 4, 6, 3),
    25_636_712,
    ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
)
ResNet101 = _resnet(
    "ResNet101",
    (3, 4, 23, 3),
    44_707_176,
    ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
)
ResNet152 = _resnet(
    "ResNet152",
    (3, 8, 36, 3),
    60_419_944,
    ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
)
