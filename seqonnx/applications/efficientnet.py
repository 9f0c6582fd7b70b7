"""EfficientNet: M. Tan and Q. Le, "Rethinking Model Scaling for Convolutional Networks", 2019."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from seqonnx.applications.application import Application, application
from seqonnx.applications.assembly import IMAGENET, ApplicationOptions
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.applications.parts import CONV_KERNEL, DENSE_KERNEL, rounded, strided_padding
from seqonnx.downloads import RemoteFile
from seqonnx.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    Multiply,
    Normalization,
    Rescaling,
    Reshape,
    ZeroPadding2D,
)
from seqonnx.symbolic import SymbolicTensor

__all__ = [
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "decode_predictions",
    "preprocess_input",
]

_URL: Final = "https://storage.googleapis.com/keras-applications/"
_DEVIATION = (0.229, 0.224, 0.225)
_DROPPED = 0.2
"""Rate at which the last block would be left out in training; earlier ones are less often."""


class _Blocks(NamedTuple):
    """Blocks alike: the first has the strides, and changes the number of filters."""

    window: int
    repeats: int
    filters: int
    expansion: int
    strides: int


_STAGES = (
    _Blocks(3, 1, 16, 1, 1),
    _Blocks(3, 2, 24, 6, 2),
    _Blocks(5, 2, 40, 6, 2),
    _Blocks(3, 3, 80, 6, 2),
    _Blocks(5, 3, 112, 6, 1),
    _Blocks(5, 4, 192, 6, 2),
    _Blocks(3, 1, 320, 6, 1),
)


class _Scaling(NamedTuple):
    """Factors of the number of filters and blocks, size of the images, rate before the head."""

    width: float
    depth: float
    size: int
    dropout: float


def _efficientnet(title: str, scale: _Scaling, parameters: int, md5: Sequence[str]) -> Application:
    """Make a function for a scale."""

    def network(entry: SymbolicTensor, options: ApplicationOptions) -> Any:
        x = _stem(entry, rounded(32 * scale.width), pretrained=options.weights == IMAGENET)
        counts = [math.ceil(scale.depth * stage.repeats) for stage in _STAGES]
        done = 0
        for number, (stage, count) in enumerate(zip(_STAGES, counts, strict=True), start=1):
            for index in range(count):
                part = stage._replace(filters=rounded(stage.filters * scale.width))
                part = part if index == 0 else part._replace(strides=1)
                rate = _DROPPED * done / sum(counts)
                x = _block(x, part, rate, f"block{number}{chr(ord('a') + index)}_")
                done += 1
        x = activated(convolved(x, rounded(1280 * scale.width), "top_conv"), "top_")
        return head(x, options, scale.dropout)

    stem = f"{_URL}{title.lower()}"
    return application(
        title=title,
        size=scale.size,
        least=32,
        parameters=parameters,
        features=rounded(1280 * scale.width),
        full=RemoteFile(f"{stem}.h5", md5[0]),
        headless=RemoteFile(f"{stem}_notop.h5", md5[1]),
    )(network)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Return images as they are: the network itself prepares those of 0 … 255.

    Args:
        x: images.
        data_format: of no meaning here; other networks have it.
    """
    del data_format
    return x


def _stem(x: Any, filters: int, *, pretrained: bool) -> Any:
    x = Normalization(axis=3)(Rescaling(1.0 / 255.0)(x))
    if pretrained:  # these weights were trained on pixels over the variance, not the deviation
        x = Rescaling([1.0 / math.sqrt(deviation) for deviation in _DEVIATION])(x)
    x = ZeroPadding2D(strided_padding(x, 3), name="stem_conv_pad")(x)
    x = Conv2D(filters, 3, 2, use_bias=False, kernel_initializer=CONV_KERNEL, name="stem_conv")(x)
    return activated(x, "stem_")


def _block(inputs: Any, stage: _Blocks, rate: float, name: str) -> Any:
    """Widen, convolve every channel, weigh the channels, narrow; add where shapes agree."""
    filters_in = inputs.shape[-1]
    filters = filters_in * stage.expansion
    x = inputs
    if stage.expansion != 1:
        x = activated(convolved(x, filters, f"{name}expand_conv"), f"{name}expand_")
    if stage.strides == 2:
        x = ZeroPadding2D(strided_padding(x, stage.window), name=f"{name}dwconv_pad")(x)
    x = DepthwiseConv2D(
        stage.window,
        stage.strides,
        "valid" if stage.strides == 2 else "same",
        use_bias=False,
        depthwise_initializer=CONV_KERNEL,
        name=f"{name}dwconv",
    )(x)
    x = squeezed(activated(x, name), max(1, filters_in // 4), name)
    x = convolved(x, stage.filters, f"{name}project_conv")
    x = BatchNormalization(name=f"{name}project_bn")(x)
    if stage.strides == 1 and filters_in == stage.filters:
        x = added(inputs, x, rate, name)
    return x


def convolved(x: Any, filters: int, name: str, window: int = 1, strides: int = 1) -> Any:
    """Add a convolution without bias."""
    return Conv2D(
        filters,
        window,
        strides,
        "same",
        use_bias=False,
        kernel_initializer=CONV_KERNEL,
        name=name,
    )(x)


def activated(x: Any, name: str, momentum: float = 0.99) -> Any:
    """Add a batch normalization and swish, named after what they follow."""
    x = BatchNormalization(momentum=momentum, name=f"{name}bn")(x)
    return Activation("swish", name=f"{name}activation")(x)


def squeezed(x: Any, filters: int, name: str) -> Any:
    """Weigh channels by a small network on their means (Hu et al., "Squeeze-and-Excitation")."""
    channels = x.shape[-1]
    weight = GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    weight = Reshape((1, 1, channels), name=f"{name}se_reshape")(weight)
    for size, activation, part in (
        (filters, "swish", "se_reduce"),
        (channels, "sigmoid", "se_expand"),
    ):
        weight = Conv2D(
            size,
            1,
            padding="same",
            activation=activation,
            kernel_initializer=CONV_KERNEL,
            name=f"{name}{part}",
        )(weight)
    return Multiply(name=f"{name}se_excite")([x, weight])


def added(inputs: Any, x: Any, rate: float, name: str) -> Any:
    """Add a block to its inputs; in training it is left out at a rate, image by image."""
    if rate > 0:
        x = Dropout(rate, (None, 1, 1, 1), name=f"{name}drop")(x)
    return Add(name=f"{name}add")([x, inputs])


def head(x: Any, options: ApplicationOptions, rate: float, **kwargs: Any) -> Any:
    """Add the classifier or the pooling.

    Args:
        x: feature map.
        options: arguments of the application.
        rate: rate of the dropout before the classifier.
        **kwargs: further arguments of the classifier.
    """
    if not options.include_top:
        return options.pool(x, named=True)
    x = Dropout(rate, name="top_dropout")(GlobalAveragePooling2D(name="avg_pool")(x))
    return options.classify(x, kernel_initializer=DENSE_KERNEL, **kwargs)


EfficientNetB0 = _efficientnet(
    "EfficientNetB0",
    _Scaling(1.0, 1.0, 224, 0.2),
    5_330_571,
    ("902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"),
)
EfficientNetB1 = _efficientnet(
    "EfficientNetB1",
    _Scaling(1.0, 1.1, 240, 0.2),
    7_856_239,
    ("1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"),
)
EfficientNetB2 = _efficientnet(
    "EfficientNetB2",
    _Scaling(1.1, 1.2, 260, 0.3),
    9_177_569,
    ("b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"),
)
EfficientNetB3 = _efficientnet(
    "EfficientNetB3",
    _Scaling(1.2, 1.4, 300, 0.3),
    12_320_535,
    ("ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"),
)
EfficientNetB4 = _efficientnet(
    "EfficientNetB4",
    _Scaling(1.4, 1.8, 380, 0.4),
    19_466_823,
    ("18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
)
EfficientNetB5 = _efficientnet(
    "EfficientNetB5",
    _Scaling(1.6, 2.2, 456, 0.4),
    30_562_527,
    ("ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"),
)
EfficientNetB6 = _efficientnet(
    "EfficientNetB6",
    _Scaling(1.8, 2.6, 528, 0.5),
    43_265_143,
    ("165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"),
)
EfficientNetB7 = _efficientnet(
    "EfficientNetB7",
    _Scaling(2.0, 3.1, 600, 0.5),
    66_658_687,
    ("8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
)
