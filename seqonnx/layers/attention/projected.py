"""Attention between projections: what multi-head and grouped-query attention have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any, Unpack

import onnx_ir as ir

from seqonnx import constraints, initializers, regularizers
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.layers.attention.dot_product import attention, fused_attention, repeated_heads
from seqonnx.layers.attention.score_mask import (
    all_of,
    as_mask,
    causal_mask,
    window_mask,
    with_axes,
)
from seqonnx.layers.base import Layer
from seqonnx.layers.core.einsum_dense import EinsumDense
from seqonnx.layers.options import BasicLayerOptions
from seqonnx.layers.own_seed import OwnSeed
from seqonnx.layers.regularization.noise import checked_rate
from seqonnx.layers.setting import Setting
from seqonnx.symbolic import Shape


def _window(width: Any) -> int | None:
    """The width of a sliding window, checked."""
    if width is not None and (not isinstance(width, int) or isinstance(width, bool) or width <= 0):
        raise ValueError(
            "`sliding_window` must be `None` or a positive integer. "
            f"Received: sliding_window={width}"
        )
    return width


class ProjectedAttention(Layer):
    """Base of the layers that project queries, keys and values, attend, and project the result."""

    supports_masking = True

    seed = OwnSeed()
    dropout: Setting[float] = Setting(checked_rate)
    use_bias: Setting[bool] = Setting(bool, until_built=True)
    use_gate: Setting[bool] = Setting(bool, until_built=True)
    sliding_window: Setting[int | None] = Setting(_window)

    def __init__(
        self,
        dropout: float,
        use_bias: bool,
        sliding_window: int | None,
        flash_attention: bool | None,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        use_gate: bool,
        seed: int | None,
        **kwargs: Unpack[BasicLayerOptions],
    ) -> None:
        if flash_attention:
            raise ValueError(
                "`flash_attention=True` is not supported: ONNX has one operator for attention, and "
                "the runtime chooses how to compute it. Leave the argument out. "
                f"Received: flash_attention={flash_attention}"
            )
        super().__init__(**kwargs)
        self.dropout = dropout
        self.use_bias = use_bias
        self.use_gate = use_gate
        self.sliding_window = sliding_window
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.seed = seed
        # Each projection has it; the layer's own output does not.
        self._projections_regularizer = regularizers.get(activity_regularizer)
        self._query_dense: EinsumDense | None = None
        self._key_dense: EinsumDense | None = None
        self._gate_dense: EinsumDense | None = None
        self._value_dense: EinsumDense | None = None
        self._output_dense: EinsumDense | None = None

    @property
    def _query_heads(self) -> int:
        """Number of heads of the queries."""
        # Abstract: the two layers of this base name their arguments differently.
        raise NotImplementedError(f"{type(self).__name__} does not define `_query_heads`.")

    @property
    def _key_heads(self) -> int:
        """Number of heads of the keys and values, a divisor of that of the queries."""
        return self._query_heads

    @property
    def _key_size(self) -> int:
        """Size of a head of queries and keys."""
        # Abstract: the two layers of this base name their arguments differently.
        raise NotImplementedError(f"{type(self).__name__} does not define `_key_size`.")

    @property
    def _value_size(self) -> int:
        """Size of a head of values."""
        return self._key_size

    def _output_sizes(self, query_shape: Shape) -> tuple[int | None, ...]:
        """Sizes of the last axes of the output."""
        return query_shape[-1:]

    def _axes(self, rank: int) -> Sequence[int]:
        """The axes that are attended over, of projections with so many axes."""
        return range(1, rank - 2)

    def _build_for(self, shape: Any, **others: Any) -> None:
        """Check that there is a value, and build the layer if it is not built."""
        if "value_shape" not in others:
            raise TypeError(
                f"Layer '{self.name}' ({type(self).__name__}) is called on a query and a value: "
                "`layer(query, value)`. Received: a query alone. For self-attention give the same "
                "tensor twice."
            )
        super()._build_for(shape, **others)

    def build(  # type: ignore[override]  # as Keras's: a shape for each tensor
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> None:
        """Make and build the projections."""
        key_shape = value_shape if key_shape is None else key_shape
        _check_lengths(value_shape, key_shape)
        queries = (self._query_heads, self._key_size)
        gated = (self._query_heads, self._value_size)
        self._query_dense = self._projection("query", query_shape, queries)
        self._key_dense = self._projection("key", key_shape, (self._key_heads, self._key_size))
        if self.use_gate:
            self._gate_dense = self._projection("gate", query_shape, gated, activation="sigmoid")
        values = (self._key_heads, self._value_size)
        self._value_dense = self._projection("value", value_shape, values)
        self._output_dense = self._projection(
            "attention_output",
            (*query_shape[:-1], *gated),
            self._output_sizes(query_shape),
            bound=2,
        )

    def _projection(
        self,
        name: str,
        shape: Shape,
        sizes: Sequence[int | None],
        bound: int = 1,
        activation: str | None = None,
    ) -> EinsumDense:
        """Make and build a layer that turns the last `bound` axes into others."""
        free = len(shape) - bound
        kept, summed = ascii_lowercase[:free], ascii_lowercase[free : free + bound]
        made = ascii_lowercase[free + bound : free + bound + len(sizes)]
        layer = EinsumDense(
            f"{kept}{summed},{summed}{made}->{kept}{made}",
            [*(None for _ in range(free - 1)), *sizes],
            activation,
            made if self.use_bias else None,
            self.kernel_initializer,
            self.bias_initializer,
            self.kernel_regularizer,
            self.bias_regularizer,
            self.kernel_constraint,
            self.bias_constraint,
            activity_regularizer=self._projections_regularizer,
            dtype=self.dtype_policy,
            name=name,
        )
        layer._build_for(shape)
        return layer

    # Another layer's `call` has one tensor, this one has several, as Keras's.
    def call(  # type: ignore[override]
        self,
        op: Emitter,
        query: ir.Value,
        value: ir.Value,
        key: ir.Value | None = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Emit projections, attention, and the projection of its result."""
        key = value if key is None else key
        masks = [
            *_sided(op, query_mask, -1),
            *_sided(op, value_mask, -2),
            *_sided(op, key_mask, -2),
            None if attention_mask is None else as_mask(op, attention_mask),
        ]
        if self.sliding_window is not None:
            masks.append(window_mask(op, query, value, self.sliding_window))
        q = self._projected(op, self._query_dense, query, training)
        k = self._projected(op, self._key_dense, key, training)
        v = self._projected(op, self._value_dense, value, training)
        free = all(mask is None for mask in masks)
        plain = training or return_attention_scores or not _fits_operator(q)
        scale = 1.0 / math.sqrt(self._key_size)
        if free and not plain:
            y, scores = fused_attention(op, q, k, v, scale, causal=use_causal_mask), None
        else:
            ahead = causal_mask(op, query, value) if use_causal_mask else None
            allowed = all_of(op, [*masks, ahead])
            zero = self.dropout > 0.0 or return_attention_scores or len(static_shape(q)) != 4
            times = self._query_heads // self._key_heads
            k, v = repeated_heads(op, k, times), repeated_heads(op, v, times)
            axes = self._axes(len(static_shape(q)))
            if allowed is not None:
                rank = len(static_shape(q)) - 1 + len(axes)
                allowed = with_axes(op, allowed, rank, -2 * len(axes) - 1)
            rate = self.dropout if training else 0.0
            y, scores = attention(
                op, op.Mul(q, scale), k, v, axes, allowed, zero=zero, dropout=rate
            )
        if self._gate_dense is not None:
            y = op.Mul(y, self._projected(op, self._gate_dense, query, training))
        y = self._projected(op, self._output_dense, y, training)
        return (y, scores) if return_attention_scores else y

    def _projected(
        self, op: Emitter, layer: EinsumDense | None, x: ir.Value, training: bool
    ) -> ir.Value:
        """Emit a projection; masks are read by this layer alone."""
        assert layer is not None
        mask = op.mask_of(x)
        op.set_mask(x, None)
        with op.scope(layer.name):
            y: ir.Value = layer._emit(op, x, training)
        op.set_mask(x, mask)
        return y

    def compute_output_shape(  # type: ignore[override]  # Keras gives several shapes, too
        self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None
    ) -> Shape:
        """Return the shape of the output, batch first.

        Args:
            query_shape: shape of the query.
            value_shape: shape of the value.
            key_shape: shape of the key; default that of the value.

        Raises:
            ValueError: if key and value differ in another size than the last.
        """
        _check_lengths(value_shape, value_shape if key_shape is None else key_shape)
        return (*query_shape[:-1], *self._output_sizes(tuple(query_shape)))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        regularizer = self._projections_regularizer
        written = None if regularizer is None else regularizers.serialize(regularizer)
        return super().get_config() | {"activity_regularizer": written}


def _check_lengths(value_shape: Shape, key_shape: Shape) -> None:
    """Raise a ValueError unless there is a key for each value."""
    if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
        raise ValueError(
            "All dimensions of `value` and `key`, except the last one, must be equal. Received: "
            f"value_shape={tuple(value_shape)} and key_shape={tuple(key_shape)}"
        )


def _sided(op: Emitter, mask: Any, axis: int) -> list[ir.Value | None]:
    """A mask of queries or values as one of scores, with an axis put in."""
    return [] if mask is None else [op.Unsqueeze(as_mask(op, mask), [axis])]


def _fits_operator(q: ir.Value) -> bool:
    """Whether the runtime has a kernel of Attention for queries like these."""
    return len(static_shape(q)) == 4 and dtype_name(q) == "float32"
