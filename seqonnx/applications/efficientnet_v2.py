"""EfficientNetV2: M. Tan and Q. Le, "Smaller Models and Faster Training", 2021."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from seqonnx.applications.application import PREPROCESSING, describe
from seqonnx.applications.assembly import IMAGENET, ApplicationOptions
from seqonnx.applications.efficientnet import (
    activated,
    added,
    convolved,
    head,
    preprocess_input,
    squeezed,
)
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.applications.parts import CONV_KERNEL, nearest
from seqonnx.downloads import RemoteFile
from seqonnx.layers import BatchNormalization, DepthwiseConv2D, Normalization, Rescaling
from seqonnx.models import Model
from seqonnx.symbolic import SymbolicTensor

__all__ = [
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "decode_predictions",
    "preprocess_input",
]

_URL: Final = "https://storage.googleapis.com/tensorflow/keras-applications/efficientnet_v2/"
_MOMENTUM = 0.9
_ZERO: Final = {"class_name": "Constant", "config": {"value": 0.0}}
_DROPPED = 0.2
"""Rate that the blocks' rates in training grow to, where there are as many as in the table."""


class _BlocksV2(NamedTuple):
    """Blocks alike: the first has the strides, and changes the number of filters."""

    fused: bool
    repeats: int
    filters: int
    expansion: int
    strides: int


def _stages(*rows: tuple[int, int, int, int]) -> tuple[_BlocksV2, ...]:
    """Make a table of repeats, filters, expansion and strides; the first three stages are fused."""
    return tuple(_BlocksV2(number < 3, *row) for number, row in enumerate(rows))


_B = _stages(
    (1, 16, 1, 1),
    (2, 32, 4, 2),
    (2, 48, 4, 2),
    (3, 96, 4, 2),
    (5, 112, 6, 1),
    (8, 192, 6, 2),
)
_S = _stages(
    (2, 24, 1, 1),
    (4, 48, 4, 2),
    (4, 64, 4, 2),
    (6, 128, 4, 2),
    (9, 160, 6, 1),
    (15, 256, 6, 2),
)
_M = _stages(
    (3, 24, 1, 1),
    (5, 48, 4, 2),
    (5, 80, 4, 2),
    (7, 160, 4, 2),
    (14, 176, 6, 1),
    (18, 304, 6, 2),
    (5, 512, 6, 1),
)
_L = _stages(
    (4, 32, 1, 1),
    (7, 64, 4, 2),
    (7, 96, 4, 2),
    (10, 192, 4, 2),
    (19, 224, 6, 1),
    (25, 384, 6, 2),
    (7, 640, 6, 1),
)


class _ScalingV2(NamedTuple):
    """A table, factors of the number of filters and blocks, the stem's filters, size of images."""

    stages: tuple[_BlocksV2, ...]
    width: float
    depth: float
    stem: int
    size: int


class EfficientNetV2(Protocol):
    """A function that returns a network, with Keras's arguments."""

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = IMAGENET,
        input_tensor: SymbolicTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
        name: str | None = ...,
    ) -> Model:
        """Return the network."""


def _efficientnet(
    size: str, scale: _ScalingV2, parameters: int, md5: Sequence[str]
) -> EfficientNetV2:
    """Make a function for a scale."""
    called = f"efficientnetv2-{size.lower()}"

    def build(
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = IMAGENET,
        input_tensor: SymbolicTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
        name: str | None = called,
    ) -> Model:
        options = ApplicationOptions(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
        )
        entry = options.entry(scale.size, 32)
        x: Any = entry
        if include_preprocessing:
            x = _prepared(x, by_colour=size.startswith("B"))
        x = _activated(convolved(x, nearest(scale.stem * scale.width), "stem_conv", 3, 2), "stem_")
        x = _blocks(x, scale)
        x = _activated(convolved(x, nearest(1280 * scale.width), "top_conv"), "top_")
        output = head(x, options, 0.2, bias_initializer=_ZERO)
        ending, checksum = (".h5", md5[0]) if include_top else ("_notop.h5", md5[1])
        return options.model(output, entry, name, RemoteFile(f"{_URL}{called}{ending}", checksum))

    facts = {"parameters": parameters, "size": scale.size, "least": 32}
    facts["features"] = nearest(1280 * scale.width)
    describe(build, f"EfficientNetV2{size}", __name__, facts, PREPROCESSING)
    return build


def _prepared(x: Any, *, by_colour: bool) -> Any:
    """Images of 0 … 255 as the blocks expect them."""
    if not by_colour or x.shape[-1] != 3:
        return Rescaling(1.0 / 128.0, offset=-1)(x)
    variance = [0.229**2, 0.224**2, 0.225**2]
    return Normalization(axis=3, mean=[0.485, 0.456, 0.406], variance=variance)(
        Rescaling(1.0 / 255)(x)
    )


def _blocks(x: Any, scale: _ScalingV2) -> Any:
    """All blocks."""
    done, count = 0, sum(stage.repeats for stage in scale.stages)
    for number, stage in enumerate(scale.stages, start=1):
        for index in range(math.ceil(scale.depth * stage.repeats)):
            part = stage._replace(filters=nearest(stage.filters * scale.width))
            part = part if index == 0 else part._replace(strides=1)
            rate = _DROPPED * done / count
            x = _block(x, part, rate, f"block{number}{chr(ord('a') + index)}_")
            done += 1
    return x


def _block(inputs: Any, stage: _BlocksV2, rate: float, name: str) -> Any:
    """Widen, convolve, weigh the channels, narrow; add where shapes agree."""
    filters_in = inputs.shape[-1]
    x = _fused(inputs, stage, name) if stage.fused else _separate(inputs, stage, name)
    if stage.strides == 1 and filters_in == stage.filters:
        x = added(inputs, x, rate, name)
    return x


def _fused(x: Any, stage: _BlocksV2, name: str) -> Any:
    """One convolution widens; without widening one does it all."""
    if stage.expansion == 1:
        x = convolved(x, stage.filters, f"{name}project_conv", 3, stage.strides)
        return _activated(x, f"{name}project_")
    filters = x.shape[-1] * stage.expansion
    x = convolved(x, filters, f"{name}expand_conv", 3, stage.strides)
    x = convolved(_activated(x, f"{name}expand_"), stage.filters, f"{name}project_conv")
    return BatchNormalization(momentum=_MOMENTUM, name=f"{name}project_bn")(x)


def _separate(x: Any, stage: _BlocksV2, name: str) -> Any:
    """Widen, and then convolve every channel."""
    filters_in = x.shape[-1]
    x = convolved(x, filters_in * stage.expansion, f"{name}expand_conv")
    x = _activated(x, f"{name}expand_")
    x = DepthwiseConv2D(
        3,
        stage.strides,
        "same",
        use_bias=False,
        depthwise_initializer=CONV_KERNEL,
        name=f"{name}dwconv2",
    )(x)
    x = squeezed(_activated(x, name), max(1, filters_in // 4), name)
    x = convolved(x, stage.filters, f"{name}project_conv")
    return BatchNormalization(momentum=_MOMENTUM, name=f"{name}project_bn")(x)


def _activated(x: Any, name: str) -> Any:
    return activated(x, name, _MOMENTUM)


EfficientNetV2B0 = _efficientnet(
    "B0",
    _ScalingV2(_B, 1.0, 1.0, 32, 224),
    7_200_312,
    ("21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"),
)
EfficientNetV2B1 = _efficientnet(
    "B1",
    _ScalingV2(_B, 1.0, 1.1, 32, 240),
    8_212_124,
    ("069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"),
)
EfficientNetV2B2 = _efficientnet(
    "B2",
    _ScalingV2(_B, 1.1, 1.2, 32, 260),
    10_178_374,
    ("424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"),
)
EfficientNetV2B3 = _efficientnet(
    "B3",
    _ScalingV2(_B, 1.2, 1.4, 32, 300),
    14_467_622,
    ("1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"),
)
EfficientNetV2S = _efficientnet(
    "S",
    _ScalingV2(_S, 1.0, 1.0, 24, 384),
    21_612_360,
    ("e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"),
)
EfficientNetV2M = _efficientnet(
    "M",
    _ScalingV2(_M, 1.0, 1.0, 24, 480),
    54_431_388,
    ("a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"),
)
EfficientNetV2L = _efficientnet(
    "L",
    _ScalingV2(_L, 1.0, 1.0, 32, 480),
    119_027_848,
    ("27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"),
)
