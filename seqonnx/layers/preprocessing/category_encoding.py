"""CategoryEncoding: integers as vectors with a place for each category."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.preprocessing.categories import OLD_NAMES, check_dense, encode
from seqonnx.layers.setting import Setting

_MODES = ("count", "one_hot", "multi_hot")


@register("layer")
class CategoryEncoding(Layer):
    """Integers below `num_tokens` as vectors of that size; others count for none.

    Args:
        num_tokens: number of categories.
        output_mode: `"multi_hot"`: one vector of each sample's integers, 1 for those that occur;
            `"count"`: how often each occurs; `"one_hot"`: a vector of each integer, in place of
            a last axis of size 1 where there is one.
        sparse: must be False: ONNX Runtime computes with dense tensors.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not one of those named.

    Example:
        >>> CategoryEncoding(3, output_mode="count")([[0, 1, 1]]).tolist()
        [[1.0, 2.0, 0.0]]
    """

    num_tokens: Setting[int] = Setting(int)
    output_mode: Setting[str] = Setting()

    autocast = False  # float16 has no odd integers above 2,048

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        mode = OLD_NAMES.get(output_mode, output_mode)
        if mode not in _MODES:
            raise ValueError(
                f"Unknown arg for output_mode: {output_mode}. Expected one of {_MODES}."
            )
        if num_tokens is None:
            raise ValueError(
                "num_tokens must be set to use this layer. If the number of tokens is not known "
                "beforehand, use the IntegerLookup layer instead."
            )
        if num_tokens < 1:
            raise ValueError(f"`num_tokens` must be >= 1. Received: num_tokens={num_tokens}.")
        self.num_tokens = num_tokens
        self.output_mode = mode
        self.sparse = check_dense(sparse)

    def call(self, op: Emitter, x: ir.Value, training: bool, count_weights: Any = None) -> ir.Value:
        """Emit a comparison with each category, or a scatter into a vector of zeros.

        Args:
            op: emitter.
            x: integers, or numbers whose fractions are cut off.
            training: of no meaning here.
            count_weights: for `"count"`: what each integer counts for, of the shape of `x`.
        """
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                "`count_weights` is not used when `output_mode` is not `'count'`. Received "
                f"`count_weights={count_weights}`."
            )
        if count_weights is not None and not isinstance(count_weights, ir.Value):
            count_weights = op.constant(np.asarray(count_weights, np.float32), "count_weights")
        mode, depth = self.output_mode, self.num_tokens
        return encode(op, x, mode, depth, self.compute_dtype, count_weights)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; as in Keras, without `sparse`."""
        config = super().get_config()
        del config["sparse"]
        return config
