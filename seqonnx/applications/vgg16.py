"""VGG16: K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks", 2014."""

from __future__ import annotations

from typing import Any, Final

from seqonnx.applications.application import application
from seqonnx.applications.assembly import ApplicationOptions
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.applications.vgg import layers_of, preprocess_input
from seqonnx.downloads import RemoteFile
from seqonnx.symbolic import SymbolicTensor

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

_URL: Final = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels"
)
_FULL: Final = RemoteFile(f"{_URL}.h5", "64373286793e3c8b2b4e3219cbf3544b")
_HEADLESS: Final = RemoteFile(f"{_URL}_notop.h5", "6d6bbae143d832006294945121d1f1fc")


@application(
    size=224,
    least=32,
    parameters=138_357_544,
    features=512,
    full=_FULL,
    headless=_HEADLESS,
)
def VGG16(entry: SymbolicTensor, options: ApplicationOptions) -> Any:  # noqa: N802 - Keras's name
    """Return the output of the network."""
    return layers_of(entry, options, (2, 2, 3, 3, 3))
