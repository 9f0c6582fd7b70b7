"""Dot-product attention of several heads: scores, their softmax, and means of values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, static_shape
from seqonnx.layers.activation.masked import masked_softmax
from seqonnx.layers.regularization.dropout import emit_dropout


def fused_attention(
    op: Emitter, q: ir.Value, k: ir.Value, v: ir.Value, scale: float, *, causal: bool
) -> ir.Value:
    """Emit ONNX's Attention, which returns no scores and has no dropout.

    Args:
        op: emitter of the graph.
        q: queries, (batch, queries, heads, size).
        k: keys, (batch, values, heads, size); each head serves as many heads of `q` as there are.
        v: values, (batch, values, heads, size).
        scale: factor of the scores.
        causal: whether a query sees no value after it.

    Returns:
        (batch, queries, heads, size).
    """
    heads, size = _known(q, 2), _known(v, 3)
    y = op.Attention(
        *(op.Reshape(x, [0, 0, _known(x, 2) * _known(x, 3)]) for x in (q, k, v)),
        q_num_heads=heads,
        kv_num_heads=_known(k, 2),
        scale=scale,
        is_causal=int(causal),
    )
    return op.Reshape(y, [0, 0, heads, size])


def attention(
    op: Emitter,
    q: ir.Value,
    k: ir.Value,
    v: ir.Value,
    axes: Sequence[int],
    mask: ir.Value | None,
    *,
    zero: bool,
    dropout: float,
) -> tuple[ir.Value, ir.Value]:
    """Emit products, a softmax and products.

    Args:
        op: emitter of the graph.
        q: queries, scaled: (batch, ..., heads, size).
        k: keys, the same with as many heads.
        v: values, the same.
        axes: axes that are attended over; the others but the last are those of a batch.
        mask: which scores count, with as many axes as they; None: all.
        zero: whether a query that may look nowhere gets 0; else the mean of all.
        dropout: share of the scores that are dropped.

    Returns:
        (batch, ..., heads, size), and the scores before dropout: (batch, others, heads, queries,
        values).
    """
    folded = _Folded.of(q, k, axes)
    raw = folded.scores(op, q, k)
    over = [-1 - i for i in range(len(axes))] if len(axes) > 1 else -1
    scores = masked_softmax(op, raw, over, mask, zero=zero)
    return folded.means(op, emit_dropout(op, scores, dropout, None), v), scores


@dataclass(frozen=True)
class _Folded:
    """Products over axes that are brought next to each other, and folded into one.

    Args:
        lead: the other axes but the last: those of a batch.
        axes: the axes that are attended over.
        queries: their sizes in the queries.
        values: their sizes in the values.
    """

    lead: list[int]
    axes: list[int]
    queries: list[Dim]
    values: list[Dim]

    @classmethod
    def of(cls, q: ir.Value, k: ir.Value, axes: Sequence[int]) -> _Folded:
        """Find the axes.

        Raises:
            ValueError: for several axes of which a size is not known.
        """
        rank = len(static_shape(q))
        sizes = [[static_shape(x)[axis] for axis in axes] for x in (q, k)]
        if len(axes) > 1 and not all(isinstance(size, int) for size in (*sizes[0], *sizes[1])):
            raise ValueError(
                "Attention over several axes needs to know their sizes. Received: "
                f"attention_axes={tuple(axes)} of sizes {sizes[0]} and {sizes[1]}. Give the inputs "
                "fixed shapes, or attend over one axis."
            )
        return cls([axis for axis in range(rank - 1) if axis not in axes], list(axes), *sizes)

    def scores(self, op: Emitter, q: ir.Value, k: ir.Value) -> ir.Value:
        """Emit the products of queries and keys: (lead, queries, values)."""
        last = len(self.lead) + len(self.axes)
        left = op.Transpose(q, perm=[*self.lead, *self.axes, last])
        right = op.Transpose(k, perm=[*self.lead, last, *self.axes])
        if len(self.axes) == 1:
            return op.MatMul(left, right)
        left = self._reshaped(op, left, [_product(self.queries), _known(q, last)])
        right = self._reshaped(op, right, [_known(k, last), _product(self.values)])
        return self._reshaped(op, op.MatMul(left, right), [*self.queries, *self.values])

    def means(self, op: Emitter, scores: ir.Value, v: ir.Value) -> ir.Value:
        """Emit the products of scores and values, with the axes where they were."""
        last = len(self.lead) + len(self.axes)
        right = op.Transpose(v, perm=[*self.lead, *self.axes, last])
        if len(self.axes) > 1:
            size = _known(v, last)
            values = _product(self.values)
            scores = self._reshaped(op, scores, [_product(self.queries), values])
            right = self._reshaped(op, right, [values, size])
            y = self._reshaped(op, op.MatMul(scores, right), [*self.queries, size])
        else:
            y = op.MatMul(scores, right)
        order = [*self.lead, *self.axes, last]
        return op.Transpose(y, perm=[order.index(axis) for axis in range(last + 1)])

    def _reshaped(self, op: Emitter, x: ir.Value, sizes: Sequence[Dim]) -> ir.Value:
        """A value with other axes after those of the batch."""
        return op.Reshape(x, [*(0 for _ in self.lead), *(s for s in sizes if isinstance(s, int))])


def repeated_heads(op: Emitter, x: ir.Value, times: int) -> ir.Value:
    """Emit each head several times, one after another: (batch, values, heads, size)."""
    if times == 1:
        return x
    wide = op.Expand(op.Unsqueeze(x, [3]), [1, 1, 1, times, 1])
    return op.Reshape(wide, [0, 0, _known(x, 2) * times, _known(x, 3)])


def _product(sizes: Sequence[Dim]) -> int:
    """The product of sizes that are known."""
    return math.prod(size for size in sizes if isinstance(size, int))


def _known(x: ir.Value, axis: int) -> int:
    """A size that is known: that of heads, which are weights."""
    size = static_shape(x)[axis]
    assert isinstance(size, int)
    return size
