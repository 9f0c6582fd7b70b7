"""GroupQueryAttention: attention in which several heads of queries share one of keys and values."""

from __future__ import annotations

from typing import Any, Unpack

from seqonnx.catalogue import register
from seqonnx.layers.attention.projected import ProjectedAttention
from seqonnx.layers.options import BasicLayerOptions
from seqonnx.layers.setting import Setting


@register("layer", saved_as="GroupQueryAttention")
class GroupedQueryAttention(ProjectedAttention):
    """Multi-head attention with fewer heads of keys and values (Ainslie et al., 2023).

    It is called as `MultiHeadAttention` is: `layer(query, value)`.

    Args:
        head_dim: size of a head.
        num_query_heads: number of heads of queries.
        num_key_value_heads: number of heads of keys and values, a divisor of it.
        dropout: share of the scores that are dropped in training.
        use_bias: whether the projections have biases.
        sliding_window: how far apart a query and a value may be, less one place; None: any.
        flash_attention: None or False; the runtime chooses how to compute.
        kernel_initializer: first value of each kernel.
        bias_initializer: first value of each bias.
        kernel_regularizer: penalty on each kernel.
        bias_regularizer: penalty on each bias.
        activity_regularizer: penalty on the output of each projection.
        kernel_constraint: limits of each kernel.
        bias_constraint: limits of each bias.
        use_gate: whether the result of attention is multiplied by the sigmoid of a further
            projection of the query.
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> x = np.ones((1, 3, 4), np.float32)
        >>> GroupQueryAttention(5, 4, 2)(x, x).shape
        (1, 3, 4)
    """

    head_dim: Setting[int] = Setting(until_built=True)
    num_query_heads: Setting[int] = Setting(until_built=True)
    num_key_value_heads: Setting[int] = Setting(until_built=True)

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Unpack[BasicLayerOptions],
    ) -> None:
        super().__init__(
            dropout,
            use_bias,
            sliding_window,
            flash_attention,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            use_gate,
            seed,
            **kwargs,
        )
        self.head_dim = head_dim
        self.num_query_heads = num_query_heads
        self.num_key_value_heads = num_key_value_heads
        if self.num_query_heads % self.num_key_value_heads != 0:
            raise ValueError(
                "`num_query_heads` must be divisible by `num_key_value_heads`. Received: "
                f"num_query_heads={num_query_heads}, num_key_value_heads={num_key_value_heads}"
            )

    @property
    def _query_heads(self) -> int:
        return self.num_query_heads

    @property
    def _key_heads(self) -> int:
        return self.num_key_value_heads

    @property
    def _key_size(self) -> int:
        return self.head_dim
