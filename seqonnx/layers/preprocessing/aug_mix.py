"""AugMix: each image blended with chains of transformations of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, static_shape
from seqonnx.layers.preprocessing.augmentations import augmentations, one_of
from seqonnx.layers.preprocessing.draws import Draws
from seqonnx.layers.preprocessing.factors import (
    Factor,
    Pair,
    bounded_factor,
    count_argument,
    interpolation,
    positive_argument,
    value_range,
)
from seqonnx.layers.preprocessing.image_layer import ImageLayer
from seqonnx.layers.preprocessing.image_options import FreeImageOptions
from seqonnx.layers.setting import Setting
from seqonnx.ops.color import clip

_ONLY_IN_ALL: Final = {"brightness", "color_degeneration", "contrast", "sharpness"}


@register("layer")
class AugMix(ImageLayer):
    """In training, blends every image with several chains of transformations of itself.

    Hendrycks et al., "AugMix" (2019). Each link of a chain is one of the layers of `RandAugment`,
    or nothing. The shares of the chains are of a Dirichlet distribution, that of the image itself
    of Beta(alpha, alpha). In inference it does nothing.

    Args:
        value_range: the least and the greatest value of a pixel.
        num_chains: number of chains.
        chain_depth: links of a chain.
        factor: limits of the strength: (lower, upper), or one number f for (0, f); from 0 to 1.
        alpha: parameter of both distributions.
        all_ops: whether brightness, colour degeneration, contrast and sharpness are among the
            layers.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: seed of what the layer draws; default: that of the training run.
        data_format: `"channels_last"` (default) or `"channels_first"`.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.
        NotImplementedError: if `interpolation` is not one of those named.

    Example:
        >>> AugMix()(np.ones((2, 8, 8, 3)), training=True).shape
        (2, 8, 8, 3)
    """

    value_range: Setting[Pair] = Setting(value_range)
    num_chains: Setting[int] = Setting(count_argument("num_chains"))
    chain_depth: Setting[int] = Setting(count_argument("chain_depth"))
    factor: Setting[Pair] = Setting(bounded_factor(0, 1))
    alpha: Setting[float] = Setting(positive_argument("alpha"))
    all_ops: Setting[bool] = Setting(bool)
    interpolation: Setting[str] = Setting(interpolation)

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Factor = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Unpack[FreeImageOptions],
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_range
        self.num_chains = num_chains
        self.chain_depth = chain_depth
        self.factor = factor
        self.alpha = alpha
        self.all_ops = all_ops
        self.interpolation = interpolation
        self.seed = seed

    def _transform(self, op: Emitter, images: ir.Value, draws: Draws) -> ir.Value:
        shares = self._shares(op, draws)
        own = draws.symmetric_beta(self.alpha)
        mixed = op.ReduceSum(op.Mul(self._chains(op, images), shares), [1], keepdims=0)
        blended = op.Add(op.Mul(images, own), op.Mul(mixed, op.Sub(1.0, own)))
        return clip(op, blended, self.value_range)

    def _shares(self, op: Emitter, draws: Draws) -> ir.Value:
        """The shares of the chains, (batch, chains, 1, 1, 1), of a Dirichlet distribution."""
        parts = draws.gamma(self.alpha, (self.num_chains, 1, 1, 1))
        return op.Div(parts, op.ReduceSum(parts, [1], keepdims=1))

    def _chains(self, op: Emitter, images: ir.Value) -> ir.Value:
        """The images after each chain, (batch, chains, channels, height, width).

        The chains are computed together, as if each were an image of its own.
        """
        layers = augmentations(self.factor, self.value_range, self.interpolation)
        if not self.all_ops:
            layers = [layer for layer in layers if layer.name not in _ONLY_IN_ALL]
        copies = op.Tile(op.Unsqueeze(images, [1]), [1, self.num_chains, 1, 1, 1])
        made = op.Reshape(copies, op.Concat([-1], op.Shape(images, start=1), axis=0))
        batch, *size = static_shape(images)
        made.shape = ir.Shape([op.product_of(batch, self.num_chains), *size])
        draws = Draws(op, made)
        for _ in range(self.chain_depth):
            made = one_of(op, made, draws, layers, len(layers) + 1)
        return op.Reshape(made, op.Shape(copies))
