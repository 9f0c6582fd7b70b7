"""InceptionResNetV2: C. Szegedy et al., "Inception-v4, Inception-ResNet", 2017."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from seqonnx.applications.application import application
from seqonnx.applications.assembly import ApplicationOptions
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.applications.inception_v3 import Branch, along, convolved, preprocess_input, stem
from seqonnx.downloads import RemoteFile
from seqonnx.layers import (
    Activation,
    AveragePooling2D,
    Concatenate,
    Conv2D,
    GlobalAveragePooling2D,
    MaxPooling2D,
)
from seqonnx.layers.merging.custom_scale import CustomScaleLayer
from seqonnx.symbolic import SymbolicTensor

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]

_URL: Final = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_resnet_v2/"
    "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels"
)

_BLOCK35: Sequence[Branch] = ([(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)])
_BLOCK17: Sequence[Branch] = ([(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))])
_BLOCK8: Sequence[Branch] = ([(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))])


@application(
    name="inception_resnet_v2",
    size=299,
    least=75,
    parameters=55_873_736,
    features=1536,
    full=RemoteFile(f"{_URL}.h5", "e693bd0210a403b3192acc6073ad2e96"),
    headless=RemoteFile(f"{_URL}_notop.h5", "d19885ff4a710c122648d3b5c3b684e4"),
)
def InceptionResNetV2(entry: SymbolicTensor, options: ApplicationOptions) -> Any:  # noqa: N802 - Keras's name
    """Return the output of the network."""
    x = stem(entry)
    branches: list[Branch] = [[(96, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)]]
    found = [along(x, branch) for branch in branches]
    found.append(convolved(AveragePooling2D(3, 1, "same")(x), 64, 1))
    x = Concatenate(name="mixed_5b")(found)
    for index in range(1, 11):
        x = _block(x, _BLOCK35, 0.17, f"block35_{index}")
    x = _shrunk(x, "mixed_6a", [[(384, 3)], [(256, 1), (256, 3), (384, 3)]])
    for index in range(1, 21):
        x = _block(x, _BLOCK17, 0.1, f"block17_{index}")
    last: Branch = [(256, 1), (288, 3), (320, 3)]
    x = _shrunk(x, "mixed_7a", [[(256, 1), (384, 3)], [(256, 1), (288, 3)], last])
    for index in range(1, 10):
        x = _block(x, _BLOCK8, 0.2, f"block8_{index}")
    x = _block(x, _BLOCK8, 1.0, "block8_10", activated=False)
    x = convolved(x, 1536, 1, names=("conv_7b", "conv_7b_bn", "conv_7b_ac"))
    if options.include_top:
        return options.classify(GlobalAveragePooling2D(name="avg_pool")(x))
    return options.pool(x)


def _shrunk(x: Any, name: str, branches: Sequence[Branch]) -> Any:
    """Branches that halve height and width, the last by a pooling."""
    found = [along(x, branch, shrinks=True) for branch in branches]
    return Concatenate(name=name)([*found, MaxPooling2D(3, 2)(x)])


def _block(
    x: Any, branches: Sequence[Branch], scale: float, name: str, *, activated: bool = True
) -> Any:
    """Branches beside each other, of which a part is added to their input."""
    mixed = Concatenate(name=f"{name}_mixed")([along(x, branch) for branch in branches])
    new = Conv2D(x.shape[-1], 1, padding="same", name=f"{name}_conv")(mixed)
    x = CustomScaleLayer(scale)([x, new])
    return Activation("relu", name=f"{name}_ac")(x) if activated else x
