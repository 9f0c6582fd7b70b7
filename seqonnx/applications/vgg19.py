"""VGG19: K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks", 2014."""

from __future__ import annotations

from typing import Any, Final

from seqonnx.applications.application import application
from seqonnx.applications.assembly import ApplicationOptions
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.applications.vgg import layers_of, preprocess_input
from seqonnx.downloads import RemoteFile
from seqonnx.symbolic import SymbolicTensor

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

_URL: Final = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
    "vgg19_weights_tf_dim_ordering_tf_kernels"
)
_FULL: Final = RemoteFile(f"{_URL}.h5", "cbe5617147190e668d6c5d5026f83318")
_HEADLESS: Final = RemoteFile(f"{_URL}_notop.h5", "253f8cb515780f3b799900260a226db6")


@application(
    size=224,
    least=32,
    parameters=143_667_240,
    features=512,
    full=_FULL,
    headless=_HEADLESS,
)
def VGG19(entry: SymbolicTensor, options: ApplicationOptions) -> Any:  # noqa: N802 - Keras's name
    """Return the output of the network."""
    return layers_of(entry, options, (2, 2, 4, 4, 4))
