"""Dot-product attention of several heads: scores, their softmax, and means of values."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name, static_shape
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
    if list(axes) == [1] and len(static_shape(q)) == 4:
        keys = op.Transpose(k, perm=[0, 2, 3, 1])
        raw = op.MatMul(op.Transpose(q, perm=[0, 2, 1, 3]), keys)
        scores = masked_softmax(op, raw, -1, mask, zero=zero)
        kept = emit_dropout(op, scores, dropout, None)
        y = op.MatMul(kept, op.Transpose(v, perm=[0, 2, 1, 3]))
        return op.Transpose(y, perm=[0, 2, 1, 3]), scores
    products, means = _equations(len(static_shape(q)), axes)
    given = dtype_name(q)
    if given == "bfloat16":  # Einsum does not take it
        q, k, v = (op.cast(x, "float32") for x in (q, k, v))
    raw = op.Einsum(k, q, equation=products)
    scores = masked_softmax(op, raw, [-1 - i for i in range(len(axes))], mask, zero=zero)
    y = op.Einsum(emit_dropout(op, scores, dropout, None), v, equation=means)
    return op.cast(y, given), op.cast(scores, given)


def repeated_heads(op: Emitter, x: ir.Value, times: int) -> ir.Value:
    """Emit each head several times, one after another: (batch, values, heads, size)."""
    if times == 1:
        return x
    wide = op.Expand(op.Unsqueeze(x, [3]), [1, 1, 1, times, 1])
    return op.Reshape(wide, [0, 0, _known(x, 2) * times, _known(x, 3)])


def _equations(rank: int, axes: Sequence[int]) -> tuple[str, str]:
    """Equations of the products of keys and queries, and of the means of values."""
    queries = ascii_lowercase[:rank]
    values = "".join(
        ascii_lowercase[rank + axis] if axis in axes else letter
        for axis, letter in enumerate(queries)
    )
    batch = "".join(queries[axis] for axis in range(rank - 1) if axis not in axes)
    scores = batch + "".join(queries[a] for a in axes) + "".join(values[a] for a in axes)
    return f"{values},{queries}->{scores}", f"{scores},{values}->{queries}"


def _known(x: ir.Value, axis: int) -> int:
    """A size that is known: that of heads, which are weights."""
    size = static_shape(x)[axis]
    assert isinstance(size, int)
    return size
