"""ResNet50: K. He et al., "Deep Residual Learning for Image Recognition", 2015."""

from __future__ import annotations

from typing import Any, Final

import numpy.typing as npt

from seqonnx.applications import imagenet
from seqonnx.applications.application import application
from seqonnx.applications.assembly import ApplicationOptions
from seqonnx.applications.downloads import RemoteFile
from seqonnx.applications.imagenet import decode_predictions
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

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]

_URL: Final = (
    "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
    "resnet50_weights_tf_dim_ordering_tf_kernels"
)
_FULL: Final = RemoteFile(f"{_URL}.h5", "2cb95161c43110f7111970584f804107")
_HEADLESS: Final = RemoteFile(f"{_URL}_notop.h5", "4d473c1dd8becc155b73f8504c6f6626")
_EPSILON = 1.001e-5


@application(
    size=224,
    least=32,
    parameters=25_636_712,
    features=2048,
    full=_FULL,
    headless=_HEADLESS,
)
def ResNet50(entry: SymbolicTensor, options: ApplicationOptions) -> Any:  # noqa: N802 - Keras's name
    """Return the output of the network."""
    x: Any = ZeroPadding2D(3, name="conv1_pad")(entry)
    x = _normalized(Conv2D(64, 7, 2, name="conv1_conv")(x), "conv1_bn")
    x = Activation("relu", name="conv1_relu")(x)
    x = ZeroPadding2D(1, name="pool1_pad")(x)
    x = MaxPooling2D(3, 2, name="pool1_pool")(x)
    for stage, (filters, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=2):
        for index in range(1, count + 1):
            strides = 2 if index == 1 and stage > 2 else 1
            x = _block(x, filters, strides, f"conv{stage}_block{index}", projected=index == 1)
    if options.include_top:
        x = options.classify(GlobalAveragePooling2D(name="avg_pool")(x))
    else:
        x = options.pool(x, named=True)
    return x


def preprocess_input(x: Any, data_format: str | None = None) -> npt.NDArray[Any]:
    """Return RGB images of 0 … 255 as BGR with ImageNet's mean taken away.

    Example:
        >>> preprocess_input([[[0.0, 0.0, 255.0]]]).round(3).tolist()
        [[[151.061, -116.779, -123.68]]]
    """
    return imagenet.preprocess(x, "caffe", data_format)


def _block(x: Any, filters: int, strides: int, name: str, *, projected: bool) -> Any:
    """Three convolutions beside the identity, or beside a convolution where the shape changes."""
    shortcut = x
    if projected:
        shortcut = Conv2D(4 * filters, 1, strides, name=f"{name}_0_conv")(x)
        shortcut = _normalized(shortcut, f"{name}_0_bn")
    x = _normalized(Conv2D(filters, 1, strides, name=f"{name}_1_conv")(x), f"{name}_1_bn")
    x = Activation("relu", name=f"{name}_1_relu")(x)
    x = Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x)
    x = Activation("relu", name=f"{name}_2_relu")(_normalized(x, f"{name}_2_bn"))
    x = _normalized(Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x), f"{name}_3_bn")
    x = Add(name=f"{name}_add")([shortcut, x])
    return Activation("relu", name=f"{name}_out")(x)


def _normalized(x: Any, name: str) -> Any:
    return BatchNormalization(epsilon=_EPSILON, name=name)(x)
