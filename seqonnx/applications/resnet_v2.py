"""ResNetV2: K. He et al., "Identity Mappings in Deep Residual Networks", 2016."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqonnx.applications import imagenet
from seqonnx.applications.application import Application, application
from seqonnx.applications.assembly import ApplicationOptions
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.applications.resnet import normalized, published
from seqonnx.layers import (
    Activation,
    Add,
    Conv2D,
    GlobalAveragePooling2D,
    MaxPooling2D,
    ZeroPadding2D,
)
from seqonnx.symbolic import SymbolicTensor

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]


def _resnet(title: str, counts: Sequence[int], parameters: int, md5: Sequence[str]) -> Application:
    """Make a function for the number of blocks in each stage."""

    def network(entry: SymbolicTensor, options: ApplicationOptions) -> Any:
        x = ZeroPadding2D(3, name="conv1_pad")(entry)
        x = Conv2D(64, 7, 2, name="conv1_conv")(x)
        x = ZeroPadding2D(1, name="pool1_pad")(x)
        x = MaxPooling2D(3, 2, name="pool1_pool")(x)
        for stage, count in enumerate(counts, start=2):
            for index in range(1, count + 1):
                strides = 2 if index == count and stage < 5 else 1
                name = f"conv{stage}_block{index}"
                x = _block(x, 16 * 2**stage, strides, name, projected=index == 1)
        x = Activation("relu", name="post_relu")(normalized(x, "post_bn"))
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
    """Return images of 0 … 255 scaled to -1 … 1.

    Example:
        >>> float(preprocess_input([[[255, 0, 127.5]]]).max())
        1.0
    """
    return imagenet.preprocess_input(x, data_format, "tf")


def _block(x: Any, filters: int, strides: int, name: str, *, projected: bool) -> Any:
    """Normalize first; then three convolutions beside the identity, thinned where it shrinks."""
    first = Activation("relu", name=f"{name}_preact_relu")(normalized(x, f"{name}_preact_bn"))
    if projected:
        shortcut = Conv2D(4 * filters, 1, strides, name=f"{name}_0_conv")(first)
    else:
        shortcut = MaxPooling2D(1, strides)(x) if strides > 1 else x
    x = Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(first)
    x = Activation("relu", name=f"{name}_1_relu")(normalized(x, f"{name}_1_bn"))
    x = ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = Conv2D(filters, 3, strides, use_bias=False, name=f"{name}_2_conv")(x)
    x = Activation("relu", name=f"{name}_2_relu")(normalized(x, f"{name}_2_bn"))
    x = Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    return Add(name=f"{name}_out")([shortcut, x])


ResNet50V2 = _resnet(
    "ResNet50V2",
    (3, 4, 6, 3),
    25_613_800,
    ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
)
ResNet101V2 = _resnet(
    "ResNet101V2",
    (3, 4, 23, 3),
    44_675_560,
    ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
)
ResNet152V2 = _resnet(
    "ResNet152V2",
    (3, 8, 36, 3),
    60_380_648,
    ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
)
