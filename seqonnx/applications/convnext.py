"""ConvNeXt: Z. Liu et al., "A ConvNet for the 2020s", 2022."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final, Protocol

from seqonnx.applications.application import PREPROCESSING, describe
from seqonnx.applications.assembly import IMAGENET, ApplicationOptions
from seqonnx.applications.imagenet import decode_predictions
from seqonnx.downloads import RemoteFile
from seqonnx.layers import (
    Activation,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    LayerNormalization,
    Normalization,
)
from seqonnx.layers.merging.layer_scale import LayerScale
from seqonnx.models import Model, Sequential
from seqonnx.symbolic import SymbolicTensor

__all__ = [
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "decode_predictions",
    "preprocess_input",
]

_URL: Final = "https://storage.googleapis.com/tensorflow/keras-applications/convnext/"
_SIZE = 224
_SCALE = 1e-6
"""First factor of what a block adds."""


class ConvNeXt(Protocol):
    """A function that returns a network, with Keras's arguments."""

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: str | os.PathLike[str] | None = IMAGENET,
        input_tensor: SymbolicTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str | None = ...,
    ) -> Model:
        """Return the network."""


def _convnext(
    title: str, counts: Sequence[int], filters: int, parameters: int, sha256: Sequence[str]
) -> ConvNeXt:
    """Make a function for the number of blocks in each stage, and the filters of the first."""
    called = title.lower().replace("convnext", "convnext_")

    def build(
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: str | os.PathLike[str] | None = IMAGENET,
        input_tensor: SymbolicTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
        name: str | None = called,
    ) -> Model:
        options = ApplicationOptions(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
        )
        entry = options.entry(_SIZE, 32)
        prefix = called if name is None else name
        x: Any = entry
        if include_preprocessing and x.shape[-1] == 3:
            x = _prepared(x, prefix)
        for stage, count in enumerate(counts):
            x = _entrance(x, filters * 2**stage, stage, prefix)
            for index in range(count):
                x = _block(x, f"{prefix}_stage_{stage}_block_{index}")
        output = _head(x, options, prefix)
        ending, checksum = (".h5", sha256[0]) if include_top else ("_notop.h5", sha256[1])
        published = RemoteFile(f"{_URL}{called}{ending}", sha256=checksum)
        return options.model(output, entry, name, published)

    facts = {"parameters": parameters, "size": _SIZE, "least": 32, "features": 8 * filters}
    describe(build, title, __name__, facts, PREPROCESSING)
    return build


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Return images as they are: the network itself prepares those of 0 … 255.

    Args:
        x: images.
        data_format: of no meaning here; other networks have it.
    """
    del data_format
    return x


def _prepared(x: Any, prefix: str) -> Any:
    """Images of 0 … 255 with ImageNet's mean taken away, over its deviation."""
    return Normalization(
        mean=[value * 255 for value in (0.485, 0.456, 0.406)],
        variance=[(value * 255) ** 2 for value in (0.229, 0.224, 0.225)],
        name=f"{prefix}_prestem_normalization",
    )(x)


def _entrance(x: Any, filters: int, stage: int, prefix: str) -> Any:
    """Shrink by 4 at first, by 2 before the other stages."""
    if stage == 0:
        conv = Conv2D(filters, 4, 4, name=f"{prefix}_stem_conv")
        norm = LayerNormalization(epsilon=1e-6, name=f"{prefix}_stem_layernorm")
        return Sequential([conv, norm], name=f"{prefix}_stem")(x)
    number = stage - 1
    norm = LayerNormalization(epsilon=1e-6, name=f"{prefix}_downsampling_layernorm_{number}")
    conv = Conv2D(filters, 2, 2, name=f"{prefix}_downsampling_conv_{number}")
    return Sequential([norm, conv], name=f"{prefix}_downsampling_block_{number}")(x)


def _block(inputs: Any, name: str) -> Any:
    """Convolve every channel over 7 x 7, mix the channels, and add a small part of it."""
    channels = inputs.shape[-1]
    x = Conv2D(channels, 7, padding="same", groups=channels, name=f"{name}_depthwise_conv")(inputs)
    x = LayerNormalization(epsilon=1e-6, name=f"{name}_layernorm")(x)
    x = Dense(4 * channels, name=f"{name}_pointwise_conv_1")(x)
    x = Activation("gelu", name=f"{name}_gelu")(x)
    x = Dense(channels, name=f"{name}_pointwise_conv_2")(x)
    x = LayerScale(_SCALE, channels, name=f"{name}_layer_scale")(x)
    return inputs + Activation("linear", name=f"{name}_identity")(x)


def _head(x: Any, options: ApplicationOptions, prefix: str) -> Any:
    if not options.include_top:
        return LayerNormalization(epsilon=1e-6)(options.pool(x))
    x = GlobalAveragePooling2D(name=f"{prefix}_head_gap")(x)
    x = LayerNormalization(epsilon=1e-6, name=f"{prefix}_head_layernorm")(x)
    return options.classify(x, f"{prefix}_head_dense")


ConvNeXtTiny = _convnext(
    "ConvNeXtTiny",
    (3, 3, 9, 3),
    96,
    28_589_128,
    (
        "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
)
ConvNeXtSmall = _convnext(
    "ConvNeXtSmall",
    (3, 3, 27, 3),
    96,
    50_223_688,
    (
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
)
ConvNeXtBase = _convnext(
    "ConvNeXtBase",
    (3, 3, 27, 3),
    128,
    88_591_464,
    (
        "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
)
ConvNeXtLarge = _convnext(
    "ConvNeXtLarge",
    (3, 3, 27, 3),
    192,
    197_767_336,
    (
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ),
)
ConvNeXtXLarge = _convnext(
    "ConvNeXtXLarge",
    (3, 3, 27, 3),
    256,
    350_196_968,
    (
        "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    ),
)
