"""ResNet50: K. He et al., "Deep Residual Learning for Image Recognition", 2015."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy.typing as npt

from seqonnx.applications import imagenet
from seqonnx.applications.assembly import IMAGENET, Options
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
from seqonnx.models import Model
from seqonnx.symbolic import SymbolicTensor

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]

_URL: Final = (
    "https://storage.googleapis.com/tensorflow/keras-applications/resnet/"
    "resnet50_weights_tf_dim_ordering_tf_kernels"
)
_FULL: Final = RemoteFile(f"{_URL}.h5", "2cb95161c43110f7111970584f804107")
_HEADLESS: Final = RemoteFile(f"{_URL}_notop.h5", "4d473c1dd8becc155b73f8504c6f6626")
_EPSILON = 1.001e-5


def ResNet50(  # noqa: N802 - Keras's name
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = IMAGENET,
    input_tensor: SymbolicTensor | None = None,
    input_shape: Sequence[int | None] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "resnet50",
) -> Model:
    """Return the ResNet50 network: 25,636,712 parameters, 224 x 224 images.

    Args:
        include_top: whether the classifier is there.
        weights: `"imagenet"` (downloaded once), None for new weights, or the path of a file.
        input_tensor: symbolic tensor to start from; default: a new `Input`.
        input_shape: (height, width, channels), each side at least 32; without the classifier,
            sides may be None.
        pooling: without the classifier: `"avg"`, `"max"`, or None for the last feature map.
        classes: number of classes.
        classifier_activation: activation of the classifier; None gives logits.
        name: name of the model.

    Returns:
        The model.

    Raises:
        ValueError: if an argument is not legal.
        ConnectionError: if weights cannot be downloaded.

    Example:
        >>> ResNet50(weights=None, include_top=False, pooling="avg").output_shape
        (None, 2048)
    """
    options = Options(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    entry = options.entry(default_size=224, min_size=32)
    x: Any = ZeroPadding2D(3, name="conv1_pad")(entry)
    x = _normalized(Conv2D(64, 7, 2, name="conv1_conv")(x), "conv1_bn")
    x = Activation("relu", name="conv1_relu")(x)
    x = ZeroPadding2D(1, name="pool1_pad")(x)
    x = MaxPooling2D(3, 2, name="pool1_pool")(x)
    for stage, (filters, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=2):
        for index in range(1, count + 1):
            strides = 2 if index == 1 and stage > 2 else 1
            x = _block(x, filters, strides, f"conv{stage}_block{index}", projected=index == 1)
    if include_top:
        x = options.classify(GlobalAveragePooling2D(name="avg_pool")(x))
    else:
        x = options.pool(x, named=True)
    return options.model(x, entry, name, _FULL if include_top else _HEADLESS)


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
