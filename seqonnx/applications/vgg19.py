"""VGG19: K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks", 2014."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from seqonnx.applications.assembly import IMAGENET, Options
from seqonnx.applications.downloads import RemoteFile
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.applications.vgg import build, preprocess_input
from seqonnx.models import Model
from seqonnx.symbolic import SymbolicTensor

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

_URL: Final = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
    "vgg19_weights_tf_dim_ordering_tf_kernels"
)
_FULL: Final = RemoteFile(f"{_URL}.h5", "cbe5617147190e668d6c5d5026f83318")
_HEADLESS: Final = RemoteFile(f"{_URL}_notop.h5", "253f8cb515780f3b799900260a226db6")


def VGG19(  # noqa: N802 - Keras's name
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = IMAGENET,
    input_tensor: SymbolicTensor | None = None,
    input_shape: Sequence[int | None] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = "vgg19",
) -> Model:
    """Return the VGG19 network: 143,667,240 parameters, 224 x 224 images.

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
        >>> VGG19(weights=None, include_top=False, pooling="max").output_shape
        (None, 512)
    """
    options = Options(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    return build(options, (2, 2, 4, 4, 4), name, _FULL if include_top else _HEADLESS)
