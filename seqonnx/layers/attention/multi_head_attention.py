"""MultiHeadAttention: several attentions side by side, each between projections of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from seqonnx.catalogue import register
from seqonnx.dtypes import plain_value
from seqonnx.layers.attention.projected import ProjectedAttention
from seqonnx.layers.core.einsum_dense import EinsumDense
from seqonnx.layers.options import BasicLayerOptions
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape


@register("layer")
class MultiHeadAttention(ProjectedAttention):
    """softmax(q k^T / sqrt(key_dim)) v for several heads, between projections (Vaswani et al.,
    2017).

    It is called on a query (batch, queries, features) and a value (batch, values, features):
    `layer(query, value)`; on the same tensor twice it is self-attention. Further arguments of a
    call: `key` (default the value), `attention_mask` (bool, (batch, queries, values), True where a
    query may look), `query_mask`, `value_mask`, `key_mask` (bool, default those that the tensors
    bring along), `use_causal_mask` (whether a query sees no value after it), and
    `return_attention_scores` (whether the scores (batch, heads, queries, values) are returned,
    too).

    Args:
        num_heads: number of heads.
        key_dim: size of a head of queries and keys.
        value_dim: size of a head of values; default `key_dim`.
        dropout: share of the scores that are dropped in training.
        use_bias: whether the projections have biases.
        output_shape: sizes of the output's last axes, or one int; default the query's features.
        attention_axes: axes that are attended over; default all between batch and features.
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
            projection of the query (Qiu et al., 2025).
        seed: seed of what the layer draws; default: that of the training run.
        **kwargs: see `Layer`.

    Raises:
        ValueError: if an argument is not legal.

    Example:
        >>> x = np.ones((1, 3, 4), np.float32)
        >>> MultiHeadAttention(2, 5)(x, x, use_causal_mask=True).shape
        (1, 3, 4)
    """

    num_heads: Setting[int] = Setting(until_built=True)
    key_dim: Setting[int] = Setting(until_built=True)
    value_dim: Setting[int] = Setting(until_built=True)
    attention_axes: Setting[tuple[int, ...] | None] = Setting(until_built=True)

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
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
        self.num_heads = _positive("num_heads", num_heads, "a positive integer")
        self.key_dim = _positive("key_dim", key_dim, "a positive integer")
        self.value_dim = (
            self.key_dim
            if value_dim is None
            else _positive("value_dim", value_dim, "a positive integer or `None`")
        )
        self._output_shape = _sizes(output_shape)
        axes = plain_value(attention_axes)
        if axes is not None and not isinstance(axes, int | list | tuple):
            raise ValueError(
                "`attention_axes` must be an int, list, or tuple. "
                f"Received: attention_axes={attention_axes}"
            )
        self.attention_axes = (axes,) if isinstance(axes, int) else axes and tuple(axes)

    @property
    def query_dense(self) -> EinsumDense | None:
        """The projection of the query; None before the layer is built."""
        return self._query_dense

    @property
    def key_dense(self) -> EinsumDense | None:
        """The projection of the key; None before the layer is built."""
        return self._key_dense

    @property
    def value_dense(self) -> EinsumDense | None:
        """The projection of the value; None before the layer is built."""
        return self._value_dense

    @property
    def output_dense(self) -> EinsumDense | None:
        """The projection of the result; None before the layer is built."""
        return self._output_dense

    @property
    def _query_heads(self) -> int:
        return self.num_heads

    @property
    def _key_size(self) -> int:
        return self.key_dim

    @property
    def _value_size(self) -> int:
        return self.value_dim

    def _output_sizes(self, query_shape: Shape) -> tuple[int | None, ...]:
        return self._output_shape or query_shape[-1:]

    def _axes(self, rank: int) -> Sequence[int]:
        """The axes as given; those below 0 count from the end of the inputs' axes."""
        if self.attention_axes is None:
            return super()._axes(rank)
        return [axis if axis >= 0 else rank - 1 + axis for axis in self.attention_axes]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        sizes = None if self._output_shape is None else list(self._output_shape)
        return super().get_config() | {"output_shape": sizes}


def _positive(name: str, value: Any, legal: str) -> int:
    """A size, checked."""
    value = plain_value(value)
    if not isinstance(value, int) or value <= 0:
        raise ValueError(
            f"Received an invalid value for argument `{name}`, expected {legal}. "
            f"Received: {name}={value}"
        )
    return value


def _sizes(output_shape: Any) -> tuple[int, ...] | None:
    """Sizes of the output, checked."""
    sizes = plain_value(output_shape)
    if not sizes:
        return None
    if not isinstance(sizes, int | list | tuple):
        raise ValueError(
            f"Invalid `output_shape`: {output_shape}. When specified, the `output_shape` should "
            "be of type tuple, list, or int."
        )
    return (sizes,) if isinstance(sizes, int) else tuple(sizes)
