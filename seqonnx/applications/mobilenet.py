"""MobileNet: A. Howard et al., "Efficient Networks for Mobile Vision Applications", 2017."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any, Final

from seqonnx.applications import imagenet
from seqonnx.applications.assembly import IMAGENET, ApplicationOptions
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.downloads import RemoteFile
from seqonnx.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    ReLU,
    Reshape,
    ZeroPadding2D,
)
from seqonnx.models import Model
from seqonnx.symbolic import SymbolicTensor

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

_URL: Final = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/mobilenet_"
_SIZES = (128, 160, 192, 224)
_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
# Filters and strides of every block.
_BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)),
    *((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)


def MobileNet(  # noqa: N802 - Keras's name
    input_shape: Sequence[int | None] | None = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 0.001,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = IMAGENET,
    input_tensor: SymbolicTensor | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """Return the MobileNet network: 4,253,864 parameters, 224 x 224 images.

    Args:
        input_shape: (height, width, channels), each side at least 32; without the classifier,
            sides may be None.
        alpha: factor of the number of filters.
        depth_multiplier: number of filters for each channel in depthwise convolutions.
        dropout: rate of the dropout before the classifier.
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
        >>> MobileNet(weights=None, include_top=False, pooling="avg").output_shape
        (None, 1024)
    """
    options = ApplicationOptions(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    size = _published_size(input_shape)
    entry = options.entry(size, 32)
    rows = _rows(options, size, include_top)
    if weights == IMAGENET:
        rows = _published_rows(alpha, depth_multiplier, options, rows)
    x: Any = Conv2D(int(32 * alpha), 3, 2, "same", use_bias=False, name="conv1")(entry)
    x = _activated(x, "conv1")
    for index, (filters, strides) in enumerate(_BLOCKS, start=1):
        x = _block(x, int(filters * alpha), strides, depth_multiplier, index)
    x = _classified(x, options, dropout) if include_top else options.pool(x)
    ending = "" if include_top else "_no_top"
    published = RemoteFile(f"{_URL}{_ALPHAS.get(alpha)}_{rows}_tf{ending}.h5")
    named = f"mobilenet_{alpha:0.2f}_{rows}" if name is None else name
    return options.model(x, entry, named, published)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Return images of 0 … 255 scaled to -1 … 1.

    Example:
        >>> float(preprocess_input([[[255, 0, 127.5]]]).max())
        1.0
    """
    return imagenet.preprocess_input(x, data_format, "tf")


def _block(x: Any, filters: int, strides: int, multiplier: int, index: int) -> Any:
    """Convolve every channel, then mix them."""
    if strides == 2:
        x = ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{index}")(x)
    x = DepthwiseConv2D(
        3,
        strides,
        "same" if strides == 1 else "valid",
        depth_multiplier=multiplier,
        use_bias=False,
        name=f"conv_dw_{index}",
    )(x)
    x = _activated(x, f"conv_dw_{index}")
    conv = Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{index}")
    return _activated(conv(x), f"conv_pw_{index}")


def _activated(x: Any, name: str) -> Any:
    return ReLU(6.0, name=f"{name}_relu")(BatchNormalization(name=f"{name}_bn")(x))


def _classified(x: Any, options: ApplicationOptions, dropout: float) -> Any:
    x = Dropout(dropout, name="dropout")(GlobalAveragePooling2D(keepdims=True)(x))
    x = Conv2D(options.classes, 1, padding="same", name="conv_preds")(x)
    x = Reshape((options.classes,), name="reshape_2")(x)
    options.check_activation()
    return Activation(options.classifier_activation, name="predictions")(x)


def _published_size(shape: Sequence[int | None] | None) -> int:
    """Size of the images that the weights for a shape were trained on."""
    if shape is not None and len(shape) == 3 and shape[0] == shape[1] and shape[0] in _SIZES:
        return int(shape[0] or 0)
    return 224


def _rows(options: ApplicationOptions, size: int, include_top: bool) -> int | None:
    """Height of the images that were asked for."""
    if options.input_shape is not None:
        return options.input_shape[0]
    return size if include_top else None


def _published_rows(
    alpha: float, depth_multiplier: int, options: ApplicationOptions, rows: int | None
) -> int:
    """Size of the images of the published weights; raise where there are none."""
    if depth_multiplier != 1:
        raise ValueError(
            "If imagenet weights are being loaded, depth multiplier must be 1.  "
            f"Received depth_multiplier={depth_multiplier}"
        )
    if alpha not in _ALPHAS:
        raise ValueError(
            "If imagenet weights are being loaded, alpha can be one of `0.25`, `0.50`, `0.75` or "
            f"`1.0` only.  Received alpha={alpha}"
        )
    square = options.input_shape is None or options.input_shape[0] == options.input_shape[1]
    if rows in _SIZES and square:
        return int(rows or 0)
    warnings.warn(
        "`input_shape` is undefined or non-square, or `rows` is not in [128, 160, 192, 224]. "
        "Weights for input shape (224, 224) will be loaded as the default.",
        stacklevel=3,
    )
    return 224
