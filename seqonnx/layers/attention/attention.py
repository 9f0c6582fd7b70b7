"""Attention without projections: by products (Luong) or by sums (Bahdanau)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx.catalogue import register
from seqonnx.graph import Emitter, Variable, static_shape
from seqonnx.layers.activation.masked import masked_softmax
from seqonnx.layers.attention.score_mask import all_of, as_mask, causal_mask
from seqonnx.layers.base import Layer
from seqonnx.layers.options import LayerOptions
from seqonnx.layers.own_seed import OwnSeed
from seqonnx.layers.regularization.dropout import emit_dropout
from seqonnx.layers.regularization.noise import checked_rate
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape


class ScoredAttention(Layer):
    """Base of the attentions that are called on a list [query, value] or [query, value, key]."""

    supports_masking = True

    use_scale: Setting[bool] = Setting(bool, until_built=True)
    seed = OwnSeed()
    dropout: Setting[float] = Setting(checked_rate)

    def __init__(
        self, use_scale: bool, dropout: float, seed: int | None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.dropout = dropout
        self.seed = seed
        self.scale: Variable | None = None

    @property
    def _takes_list(self) -> bool:
        """Yes."""
        return True

    def _separate(self, x: Any) -> list[Any]:
        """Return the list that the layer is called on.

        Raises:
            ValueError: if it is no list of two or three.
        """
        name = type(self).__name__
        if not isinstance(x, list):
            raise ValueError(
                f"{name} layer must be called on a list of inputs, namely [query, value] or "
                f"[query, value, key]. Received: inputs={x}."
            )
        if not 2 <= len(x) <= 3:
            raise ValueError(
                f"{name} layer accepts inputs list of length 2 or 3, namely [query, value] or "
                f"[query, value, key]. Received length: {len(x)}."
            )
        return x

    # A layer that takes a list and further arguments.
    def call(
        self,
        op: Emitter,
        x: list[ir.Value],
        training: bool,
        mask: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Emit scores, their softmax, and the means of the values."""
        query, value, *rest = x
        key = rest[0] if rest else value
        of_query, of_value = self._masks(op, mask)
        scores = self._scores(op, query, key)
        allowed = all_of(
            op,
            [
                None if of_value is None else op.Unsqueeze(of_value, [1]),
                causal_mask(op, query, value) if use_causal_mask else None,
            ],
        )
        weights = self._weights_of(op, scores, allowed)
        if training:
            weights = emit_dropout(op, weights, self.dropout, None)
        y = op.MatMul(weights, value)
        if of_query is not None:
            y = op.Where(op.Unsqueeze(of_query, [2]), y, 0.0)
        return [y, weights] if return_attention_scores else y

    def _weights_of(self, op: Emitter, scores: ir.Value, allowed: ir.Value | None) -> ir.Value:
        """The softmax of the scores that count.

        Those that do not are moved down, not replaced: where a query may look nowhere, it looks
        everywhere.
        """
        if allowed is None:
            return masked_softmax(op, scores, -1, None)
        down = 65504.0 if scores.dtype == ir.DataType.FLOAT16 else 1e9
        moved = op.Where(allowed, scores, op.Sub(scores, down))
        return masked_softmax(op, moved, -1, None)

    def _masks(self, op: Emitter, mask: Any) -> list[ir.Value | None]:
        """The masks of query and value.

        Raises:
            ValueError: if they are no list of two or three.
        """
        if mask is None:
            return [None, None]
        name = type(self).__name__
        if not isinstance(mask, list):
            raise ValueError(
                f"{name} layer mask must be a list, namely [query_mask, value_mask]. "
                f"Received: mask={mask}."
            )
        if not 2 <= len(mask) <= 3:
            raise ValueError(
                f"{name} layer accepts mask list of length 2 or 3. Received: mask={mask}."
            )
        return [None if part is None else as_mask(op, part) for part in mask[:2]]

    def _scores(self, op: Emitter, query: ir.Value, key: ir.Value) -> ir.Value:
        """Emit the scores: (batch, queries, values)."""
        # Abstract: each of the two layers of this file has scores of its own.
        raise NotImplementedError(f"{type(self).__name__} does not define `_scores`.")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask of the query."""
        return None if previous_mask is None else previous_mask[0]


@register("layer")
class Attention(ScoredAttention):
    """softmax(query key^T) value (Luong et al., 2015).

    It is called on a list: a query (batch, queries, size), a value (batch, values, size) and
    perhaps a key (default the value). Further arguments of a call: `mask` (a list of the masks of
    query and value, default those that they bring along), `return_attention_scores` (whether the
    scores (batch, queries, values) are returned, too) and `use_causal_mask` (whether a query sees
    no value after it).

    Args:
        use_scale: whether a weight of one number multiplies the scores.
        score_mode: `"dot"`; or `"concat"`, which scores by the sum of tanh(query + key).
        dropout: share of the scores that are dropped in training.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: for another mode, or if it is not called on a list.

    Example:
        >>> Attention()([np.ones((1, 2, 4)), np.full((1, 3, 4), 5.0)]).shape
        (1, 2, 4)
    """

    score_mode: Setting[str] = Setting(until_built=True)

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(use_scale, dropout, seed, **kwargs)
        if score_mode not in {"dot", "concat"}:
            raise ValueError(
                "Invalid value for argument score_mode. Expected one of {'dot', 'concat'}. "
                f"Received: score_mode={score_mode}"
            )
        self.score_mode = score_mode
        self.concat_score_weight: Variable | None = None

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Declare the factors of the scores."""
        self._separate(list(input_shape))
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _scores(self, op: Emitter, query: ir.Value, key: ir.Value) -> ir.Value:
        """Emit products, or sums of tanh."""
        if self.score_mode == "dot":
            scores = op.MatMul(query, op.Transpose(key, perm=[0, 2, 1]))
            return scores if self.scale is None else op.Mul(scores, self.scale)
        sums = _pairs(op, query, key)
        sums = sums if self.scale is None else op.Mul(sums, self.scale)
        total = op.ReduceSum(op.Tanh(sums), [3], keepdims=0)
        return op.Mul(total, self.concat_score_weight)


@register("layer")
class AdditiveAttention(ScoredAttention):
    """softmax(sum of scale tanh(query + key)) value (Bahdanau et al., 2015).

    It is called as `Attention` is.

    Args:
        use_scale: whether there is a weight `scale`, a factor for each feature.
        dropout: share of the scores that are dropped in training.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if it is not called on a list.

    Example:
        >>> AdditiveAttention()([np.ones((1, 2, 4)), np.full((1, 3, 4), 5.0)]).shape
        (1, 2, 4)
    """

    def __init__(
        self,
        use_scale: bool = True,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(use_scale, dropout, seed, **kwargs)

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Declare the factors of the features."""
        self._separate(list(input_shape))
        if self.use_scale:
            self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale")

    def _scores(self, op: Emitter, query: ir.Value, key: ir.Value) -> ir.Value:
        """Emit sums of tanh."""
        bent = op.Tanh(_pairs(op, query, key))
        if self.scale is None:
            return op.ReduceSum(bent, [3], keepdims=0)
        return op.Squeeze(op.MatMul(bent, op.Unsqueeze(self.scale, [1])), [3])


def _pairs(op: Emitter, query: ir.Value, key: ir.Value) -> ir.Value:
    """The sum of each query and each key: (batch, queries, values, size)."""
    if len(static_shape(query)) != 3 or len(static_shape(key)) != 3:
        raise ValueError(
            "Queries and keys must be sequences, (batch, steps, size). Received shapes "
            f"{static_shape(query)} and {static_shape(key)}."
        )
    return op.Add(op.Unsqueeze(query, [2]), op.Unsqueeze(key, [1]))
