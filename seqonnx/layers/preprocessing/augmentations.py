"""Augmentations: the layers that RandAugment and AugMix choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.layers.preprocessing.auto_contrast import AutoContrast
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.equalization import Equalization
from seqonnx.layers.preprocessing.factors import Pair
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.random_brightness import RandomBrightness
from seqonnx.layers.preprocessing.random_color_degeneration import RandomColorDegeneration
from seqonnx.layers.preprocessing.random_contrast import RandomContrast
from seqonnx.layers.preprocessing.random_posterization import RandomPosterization
from seqonnx.layers.preprocessing.random_rotation import RandomRotation
from seqonnx.layers.preprocessing.random_sharpness import RandomSharpness
from seqonnx.layers.preprocessing.random_shear import RandomShear
from seqonnx.layers.preprocessing.random_translation import RandomTranslation
from seqonnx.layers.preprocessing.solarization import Solarization

BITS: Final = 8


def augmentations(factor: Pair, value_range: Pair, interpolation: str) -> list[ImageLayer]:
    """Return the layers, each with a name of its own.

    Args:
        factor: limits of their strength, from 0 to 1.
        value_range: the least and the greatest value of a pixel.
        interpolation: `"bilinear"` or `"nearest"`.
    """
    between: Any = {"interpolation": interpolation}
    within: Any = {"value_range": value_range}
    bits = max(1, int(BITS * factor[1]))
    return [
        RandomShear(factor, factor, **between, name="shear"),
        RandomTranslation(factor, factor, **between, name="translation"),
        RandomRotation(factor, **between, name="rotation"),
        RandomBrightness(factor, **within, name="brightness"),
        RandomColorDegeneration(factor, **within, name="color_degeneration"),
        RandomContrast(factor, **within, name="contrast"),
        RandomSharpness(factor, **within, name="sharpness"),
        RandomPosterization(bits, **within, name="posterization"),
        Solarization(factor, factor, **within, name="solarization"),
        AutoContrast(**within, name="auto_contrast"),
        Equalization(**within, name="equalization"),
    ]


def one_of(
    op: Emitter, images: ir.Value, draws: Draws, layers: Sequence[ImageLayer], choices: int
) -> ir.Value:
    """Emit one of several transformations of each image.

    All of them are computed for the whole batch, so that every image may choose.

    Args:
        op: emitter.
        images: (batch, channels, height, width).
        draws: random numbers.
        layers: the transformations.
        choices: number of equally likely choices; those beyond the layers leave an image as it is.
    """
    choice = draws.integers(choices)
    made = images
    for number, layer in enumerate(layers):
        changed = layer._transform_within(op, images, draws)
        made = op.Where(op.Equal(choice, number), changed, made)
    return made
