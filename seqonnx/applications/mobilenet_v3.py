"""MobileNetV3: A. Howard et al., "Searching for MobileNetV3", 2019."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from seqonnx.applications.assembly import IMAGENET, ApplicationOptions, check_match
from seqonnx.applications.efficientnet import preprocess_input
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.applications.parts import rounded, strided_padding
from seqonnx.downloads import RemoteFile
from seqonnx.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Multiply,
    ReLU,
    Rescaling,
    ZeroPadding2D,
)
from seqonnx.models import Model
from seqonnx.symbolic import SymbolicTensor

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]

_URL: Final = (
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v3/"
    "weights_mobilenet_v3_"
)


class _Block(NamedTuple):
    """Expansion, filters, size of the window, strides; whether channels are weighed; activation.

    A minimalistic network has windows of 3, no weights of channels, and ReLU everywhere.
    """

    expansion: float
    filters: int
    window: int
    strides: int
    squeezes: bool
    activation: str


class _MobileForm(NamedTuple):
    """Blocks, filters before the classifier, and the published checksums by the file's name."""

    size: str
    blocks: Sequence[_Block]
    last: int
    md5: dict[str, tuple[str, str]]


_SMALL = _MobileForm(
    "small",
    (
        _Block(1, 16, 3, 2, True, "relu"),
        _Block(72 / 16, 24, 3, 2, False, "relu"),
        _Block(88 / 24, 24, 3, 1, False, "relu"),
        _Block(4, 40, 5, 2, True, "swish"),
        _Block(6, 40, 5, 1, True, "swish"),
        _Block(6, 40, 5, 1, True, "swish"),
        _Block(3, 48, 5, 1, True, "swish"),
        _Block(3, 48, 5, 1, True, "swish"),
        _Block(6, 96, 5, 2, True, "swish"),
        _Block(6, 96, 5, 1, True, "swish"),
        _Block(6, 96, 5, 1, True, "swish"),
    ),
    1024,
    {
        "small_224_0.75_float": (
            "cb65d4e5be93758266aa0a7f2c6708b7",
            "ebdb5cc8e0b497cd13a7c275d475c819",
        ),
        "small_224_1.0_float": (
            "8768d4c2e7dee89b9d02b2d03d65d862",
            "d3e8ec802a04aa4fc771ee12a9a9b836",
        ),
        "small_minimalistic_224_1.0_float": (
            "99cd97fb2fcdad2bf028eb838de69e37",
            "cde8136e733e811080d9fcd8a252f7e4",
        ),
    },
)
_LARGE = _MobileForm(
    "large",
    (
        _Block(1, 16, 3, 1, False, "relu"),
        _Block(4, 24, 3, 2, False, "relu"),
        _Block(3, 24, 3, 1, False, "relu"),
        _Block(3, 40, 5, 2, True, "relu"),
        _Block(3, 40, 5, 1, True, "relu"),
        _Block(3, 40, 5, 1, True, "relu"),
        _Block(6, 80, 3, 2, False, "swish"),
        _Block(2.5, 80, 3, 1, False, "swish"),
        _Block(2.3, 80, 3, 1, False, "swish"),
        _Block(2.3, 80, 3, 1, False, "swish"),
        _Block(6, 112, 3, 1, True, "swish"),
        _Block(6, 112, 3, 1, True, "swish"),
        _Block(6, 160, 5, 2, True, "swish"),
        _Block(6, 160, 5, 1, True, "swish"),
        _Block(6, 160, 5, 1, True, "swish"),
    ),
    1280,
    {
        "large_224_0.75_float": (
            "765b44a33ad4005b3ac83185abf1d0eb",
            "40af19a13ebea4e2ee0c676887f69a2e",
        ),
        "large_224_1.0_float": (
            "59e551e166be033d707958cf9e29a6a7",
            "07fb09a5933dd0c8eaafa16978110389",
        ),
        "large_minimalistic_224_1.0_float": (
            "675e7b876c45c57e9e63e6d90a36599c",
            "ec5221f64a2f6d1ef965a614bdae7973",
        ),
    },
)


@dataclass(frozen=True)
class _Variant:
    """The arguments that only this family has."""

    alpha: float
    minimalistic: bool
    dropout_rate: float
    include_preprocessing: bool

    @property
    def activation(self) -> str:
        """The activation of stem and head."""
        return "relu" if self.minimalistic else "swish"

    def file(self, form: _MobileForm, *, top: bool) -> RemoteFile:
        """Published weights."""
        kind = "_minimalistic" if self.minimalistic else ""
        name = f"{form.size}{kind}_224_{float(self.alpha)}_float"
        md5 = form.md5.get(name, (None, None))[0 if top else 1]
        return RemoteFile(f"{_URL}{name}{'' if top else '_no_top_v2'}.h5", md5)


def MobileNetV3Small(  # noqa: N802 - Keras's name
    input_shape: Sequence[int | None] | None = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = IMAGENET,
    input_tensor: SymbolicTensor | None = None,
    classes: int = 1000,
    pooling: str | None = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str | None = "MobileNetV3Small",
) -> Model:
    """Return the MobileNetV3Small network: 2,554,968 parameters, images of any size.

    Args:
        input_shape: (height, width, channels), each side at least 32, or None.
        alpha: factor of the number of filters.
        minimalistic: whether windows are 3 x 3, activations ReLU, and channels not weighed.
        include_top: whether the classifier is there.
        weights: `"imagenet"` (downloaded once), None for new weights, or the path of a file.
        input_tensor: symbolic tensor to start from; default: a new `Input`.
        classes: number of classes.
        pooling: without the classifier: `"avg"`, `"max"`, or None for the last feature map.
        dropout_rate: rate of the dropout before the classifier.
        classifier_activation: activation of the classifier; None gives logits.
        include_preprocessing: whether the network takes images of 0 … 255, and prepares them.
        name: name of the model.

    Returns:
        The model.

    Raises:
        ValueError: if an argument is not legal.
        ConnectionError: if weights cannot be downloaded.

    Example:
        >>> MobileNetV3Small(weights=None, include_top=False, pooling="avg").output_shape
        (None, 576)
    """
    options = ApplicationOptions(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    variant = _Variant(alpha, minimalistic, dropout_rate, include_preprocessing)
    return _mobilenet(_SMALL, options, variant, name)


def MobileNetV3Large(  # noqa: N802 - Keras's name
    input_shape: Sequence[int | None] | None = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = IMAGENET,
    input_tensor: SymbolicTensor | None = None,
    classes: int = 1000,
    pooling: str | None = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str | None = "MobileNetV3Large",
) -> Model:
    """Return the MobileNetV3Large network: 5,507,432 parameters, images of any size.

    Arguments are those of `MobileNetV3Small`.

    Example:
        >>> MobileNetV3Large(weights=None, include_top=False, pooling="avg").output_shape
        (None, 960)
    """
    options = ApplicationOptions(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
    )
    variant = _Variant(alpha, minimalistic, dropout_rate, include_preprocessing)
    return _mobilenet(_LARGE, options, variant, name)


def _mobilenet(
    form: _MobileForm, options: ApplicationOptions, variant: _Variant, name: str | None
) -> Model:
    """Make a network."""
    entry = _entry(options)
    if options.weights == IMAGENET:
        _check_published(variant, entry)
    x: Any = Rescaling(1.0 / 127.5, offset=-1.0)(entry) if variant.include_preprocessing else entry
    x = Conv2D(16, 3, 2, "same", use_bias=False, name="conv")(x)
    x = _activated(_normalized(x, "conv_bn"), variant.activation)
    for index, block in enumerate(form.blocks):
        part = block._replace(filters=rounded(block.filters * variant.alpha))
        if variant.minimalistic:
            part = part._replace(window=3, squeezes=False, activation="relu")
        x = _block(x, part, index)
    x = Conv2D(rounded(6 * x.shape[-1]), 1, padding="same", use_bias=False, name="conv_1")(x)
    x = _activated(_normalized(x, "conv_1_bn"), variant.activation)
    if options.include_top:
        last = rounded(form.last * variant.alpha) if variant.alpha > 1.0 else form.last
        x = _classified(x, last, options, variant)
    else:
        x = options.pool(x, named=True)
    return options.model(x, entry, name, variant.file(form, top=options.include_top))


def _block(inputs: Any, block: _Block, index: int) -> Any:
    """Widen (but in the first block), convolve every channel, weigh, narrow; add where it fits."""
    channels = inputs.shape[-1]
    wide = rounded(channels * block.expansion)
    name = f"expanded_conv_{index}_" if index > 0 else "expanded_conv_"
    x = inputs
    if index > 0:
        x = Conv2D(wide, 1, padding="same", use_bias=False, name=f"{name}expand")(x)
        x = _activated(_normalized(x, f"{name}expand_bn"), block.activation)
    if block.strides == 2:
        x = ZeroPadding2D(strided_padding(x, block.window), name=f"{name}depthwise_pad")(x)
    x = DepthwiseConv2D(
        block.window,
        block.strides,
        "same" if block.strides == 1 else "valid",
        use_bias=False,
        name=f"{name}depthwise",
    )(x)
    x = _activated(_normalized(x, f"{name}depthwise_bn"), block.activation)
    if block.squeezes:
        x = _squeezed(x, wide, name)
    x = Conv2D(block.filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = _normalized(x, f"{name}project_bn")
    if block.strides == 1 and channels == block.filters:
        x = Add(name=f"{name}add")([inputs, x])
    return x


def _squeezed(x: Any, channels: int, name: str) -> Any:
    """Weigh channels by a small network on their means."""
    name = f"{name}squeeze_excite_"
    weight = GlobalAveragePooling2D(keepdims=True, name=f"{name}avg_pool")(x)
    weight = Conv2D(rounded(channels / 4), 1, padding="same", name=f"{name}conv")(weight)
    weight = ReLU(name=f"{name}relu")(weight)
    weight = Conv2D(channels, 1, padding="same", name=f"{name}conv_1")(weight)
    weight = ReLU(6.0)(weight + 3.0) * (1.0 / 6.0)
    return Multiply(name=f"{name}mul")([x, weight])


def _classified(x: Any, filters: int, options: ApplicationOptions, variant: _Variant) -> Any:
    x = GlobalAveragePooling2D(keepdims=True)(x)
    x = _activated(Conv2D(filters, 1, padding="same", name="conv_2")(x), variant.activation)
    if variant.dropout_rate > 0:
        x = Dropout(variant.dropout_rate)(x)
    x = Flatten()(Conv2D(options.classes, 1, padding="same", name="logits")(x))
    options.check_activation()
    return Activation(options.classifier_activation, name="predictions")(x)


def _normalized(x: Any, name: str) -> Any:
    return BatchNormalization(momentum=0.999, epsilon=1e-3, name=name)(x)


def _activated(x: Any, activation: str) -> Any:
    return ReLU()(x) if activation == "relu" else Activation("hard_swish")(x)


def _entry(options: ApplicationOptions) -> SymbolicTensor:
    """The tensor to start from: by default images of any size, also with a classifier."""
    check_match(options.input_tensor, options.input_shape)
    free = replace(options, include_top=False)
    return free.entry(224, 32)


def _check_published(variant: _Variant, entry: SymbolicTensor) -> None:
    """Raise or warn where there are no weights for exactly this network."""
    if variant.alpha not in ((1.0,) if variant.minimalistic else (0.75, 1.0)):
        raise ValueError(
            "If imagenet weights are being loaded, alpha can be one of `0.75`, `1.0` for non "
            "minimalistic or `1.0` for minimalistic only. "
            f"Received: alpha={variant.alpha}, minimalistic={variant.minimalistic}"
        )
    if entry.shape[1:3] != (224, 224):
        warnings.warn(
            "`input_shape` is undefined or non-square, or `rows` is not 224. Weights for input "
            "shape (224, 224) will be loaded as the default.",
            stacklevel=4,
        )
