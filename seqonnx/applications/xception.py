"""Xception: F. Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2017."""

from __future__ import annotations

from typing import Any, Final

from seqonnx.applications import imagenet
from seqonnx.applications.application import application
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
    SeparableConv2D,
)
from seqonnx.symbolic import SymbolicTensor

__all__ = ["Xception", "decode_predictions", "preprocess_input"]

_URL: Final = (
    "https://storage.googleapis.com/tensorflow/keras-applications/xception/"
    "xception_weights_tf_dim_ordering_tf_kernels"
)
_FULL: Final = RemoteFile(f"{_URL}.h5", "0a58e3b7378bc2990ea3b43d5981f1f6")
_HEADLESS: Final = RemoteFile(f"{_URL}_notop.h5", "b0042744bf5b25fce3cb969f33bebb97")


@application(
    size=299,
    least=71,
    parameters=22_910_480,
    features=2048,
    full=_FULL,
    headless=_HEADLESS,
)
def Xception(entry: SymbolicTensor, options: ApplicationOptions) -> Any:  # noqa: N802 - Keras's name
    """Return the output of the network."""
    x = _stem(entry)
    for block, filters in ((2, 128), (3, 256), (4, 728)):
        x = _shrinking_block(x, block, filters, filters, relu_first=block > 2)
    for block in range(5, 13):
        x = _middle_block(x, block)
    x = _shrinking_block(x, 13, 728, 1024, relu_first=True)
    x = _exit(x)
    if options.include_top:
        x = options.classify(GlobalAveragePooling2D(name="avg_pool")(x))
    else:
        x = options.pool(x)
    return x


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Return images of 0 … 255 scaled to -1 … 1.

    Example:
        >>> float(preprocess_input([[[255, 0, 127.5]]]).max())
        1.0
    """
    return imagenet.preprocess_input(x, data_format, "tf")


def _stem(x: Any) -> Any:
    for index, (filters, strides) in enumerate(((32, 2), (64, 1)), start=1):
        name = f"block1_conv{index}"
        x = Conv2D(filters, 3, strides, use_bias=False, name=name)(x)
        x = BatchNormalization(name=f"{name}_bn")(x)
        x = Activation("relu", name=f"{name}_act")(x)
    return x


def _shrinking_block(x: Any, block: int, first: int, second: int, *, relu_first: bool) -> Any:
    """Two separable convolutions and a pooling, beside a strided convolution."""
    residual = Conv2D(second, 1, 2, "same", use_bias=False)(x)
    residual = BatchNormalization()(residual)
    if relu_first:
        x = Activation("relu", name=f"block{block}_sepconv1_act")(x)
    x = _separable(x, first, f"block{block}_sepconv1")
    x = Activation("relu", name=f"block{block}_sepconv2_act")(x)
    x = _separable(x, second, f"block{block}_sepconv2")
    x = MaxPooling2D(3, 2, "same", name=f"block{block}_pool")(x)
    return Add()([x, residual])


def _middle_block(x: Any, block: int) -> Any:
    residual = x
    for index in (1, 2, 3):
        x = Activation("relu", name=f"block{block}_sepconv{index}_act")(x)
        x = _separable(x, 728, f"block{block}_sepconv{index}")
    return Add()([x, residual])


def _exit(x: Any) -> Any:
    for index, filters in ((1, 1536), (2, 2048)):
        x = _separable(x, filters, f"block14_sepconv{index}")
        x = Activation("relu", name=f"block14_sepconv{index}_act")(x)
    return x


def _separable(x: Any, filters: int, name: str) -> Any:
    x = SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return BatchNormalization(name=f"{name}_bn")(x)
