"""MobileNetV2: M. Sandler et al., "Inverted Residuals and Linear Bottlenecks", 2018."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any, Final

from seqonnx.applications import imagenet
from seqonnx.applications.assembly import IMAGENET, ApplicationOptions, check_match
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.applications.parts import rounded, strided_padding
from seqonnx.downloads import RemoteFile
from seqonnx.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    ReLU,
    ZeroPadding2D,
)
from seqonnx.models import Model
from seqonnx.symbolic import SymbolicTensor

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

_URL: Final = (
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels"
)
_SIZES = (96, 128, 160, 192, 224)
_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_MOMENTUM = 0.999
# Filters, strides and number of blocks of every stage.
_STAGES = ((16, 1, 1), (24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1))


def MobileNetV2(  # noqa: N802 - Keras's name
    input_shape: Sequence[int | None] | None = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = IMAGENET,
    input_tensor: SymbolicTensor | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """Return the MobileNetV2 network: 3,538,984 parameters, 224 x 224 images.

    Args:
        input_shape: (height, width, channels), each side at least 32; without the classifier,
            sides may be None.
        alpha: factor of the number of filters.
        include_top: whether the classifier is there.
        weights: `"imagenet"` (downloaded once), None for new weights, or the path of a file.
        input_tensor: symbolic tensor to start from; default: a new `Input`.
        pooling: without the classifier: `"avg"`, `"max"`, or None for the last feature map.
        classes: number of classes.
        classifier_activation: activation of the classifier; None gives logits.
        name: name of the model; default from alpha and size.

    Returns:
        The model.

    Raises:
        ValueError: if an argument is not legal.
        ConnectionError: if weights cannot be downloaded.

    Example:
        >>> MobileNetV2(weights=None, include_top=False, pooling="avg").output_shape
        (None, 1280)
    """
    options = ApplicationOptions(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    check_match(input_tensor, input_shape)
    given = input_shape if input_tensor is None else input_tensor.shape[1:]
    published_size = _published_size(given)
    entry = options.entry(default_size=published_size, min_size=32)
    if weights == IMAGENET:
        _check_published(alpha, entry)
    x: Any = Conv2D(rounded(32 * alpha), 3, 2, "same", use_bias=False, name="Conv1")(entry)
    x = ReLU(6.0, name="Conv1_relu")(_normalized(x, "bn_Conv1"))
    index = 0
    for filters, strides, count in _STAGES:
        for block in range(count):
            x = _block(x, rounded(int(filters * alpha)), strides if block == 0 else 1, index)
            index += 1
    last = rounded(1280 * alpha) if alpha > 1.0 else 1280
    x = _normalized(Conv2D(last, 1, use_bias=False, name="Conv_1")(x), "Conv_1_bn")
    x = ReLU(6.0, name="out_relu")(x)
    x = options.classify(GlobalAveragePooling2D()(x)) if include_top else options.pool(x)
    rows = published_size if weights == IMAGENET else entry.shape[1]
    named = f"mobilenetv2_{alpha:0.2f}_{rows}" if name is None else name
    ending = "" if include_top else "_no_top"
    published = RemoteFile(f"{_URL}_{float(alpha)}_{published_size}{ending}.h5")
    return options.model(x, entry, named, published)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Return images of 0 … 255 scaled to -1 … 1.

    Example:
        >>> float(preprocess_input([[[255, 0, 127.5]]]).max())
        1.0
    """
    return imagenet.preprocess_input(x, data_format, "tf")


def _block(x: Any, filters: int, strides: int, index: int) -> Any:
    """Widen (but in the first block), convolve every channel, narrow; add where shapes agree."""
    inputs, channels = x, x.shape[-1]
    name = f"block_{index}" if index > 0 else "expanded_conv"
    if index > 0:
        expand = Conv2D(6 * channels, 1, padding="same", use_bias=False, name=f"{name}_expand")
        x = _normalized(expand(x), f"{name}_expand_BN")
        x = ReLU(6.0, name=f"{name}_expand_relu")(x)
    if strides == 2:
        x = ZeroPadding2D(strided_padding(x, 3), name=f"{name}_pad")(x)
    padding = "same" if strides == 1 else "valid"
    depthwise = DepthwiseConv2D(3, strides, padding, use_bias=False, name=f"{name}_depthwise")
    x = ReLU(6.0, name=f"{name}_depthwise_relu")(_normalized(depthwise(x), f"{name}_depthwise_BN"))
    project = Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}_project")
    x = _normalized(project(x), f"{name}_project_BN")
    return Add(name=f"{name}_add")([inputs, x]) if channels == filters and strides == 1 else x


def _normalized(x: Any, name: str) -> Any:
    return BatchNormalization(momentum=_MOMENTUM, epsilon=1e-3, name=name)(x)


def _published_size(shape: Sequence[int | None] | None) -> int:
    """Size of the images that the weights for a shape were trained on."""
    if shape is not None and len(shape) == 3 and shape[0] == shape[1] and shape[0] in _SIZES:
        return int(shape[0] or 0)
    return 224


def _check_published(alpha: float, entry: SymbolicTensor) -> None:
    """Raise or warn where there are no weights for exactly this network."""
    if alpha not in _ALPHAS:
        raise ValueError(
            "If imagenet weights are being loaded, alpha must be one of `0.35`, `0.50`, `0.75`, "
            f"`1.0`, `1.3` or `1.4` only; Received `alpha={alpha}`"
        )
    rows, columns = entry.shape[1:3]
    if rows != columns or rows not in _SIZES:
        warnings.warn(
            "`input_shape` is undefined or non-square, or `rows` is not in [96, 128, 160, 192, "
            "224]. Weights for input shape (224, 224) will be loaded as the default.",
            stacklevel=3,
        )
