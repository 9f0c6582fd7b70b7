"""Attention: means of values, weighted by how well their keys fit a query."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.activation import softmax
from seqonnx.ops.arranging import repeat
from seqonnx.ops.promotion import floats, largest, tensor
from seqonnx.ops.sizes import counted, rank_of, size_of
from seqonnx.tensor_function import tensor_function


@tensor_function()
def dot_product_attention(
    op: Emitter,
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> ir.Value:
    """Return means of values, weighted by the softmax of query times key.

    Args:
        query: `(batch, queries, heads, d)`.
        key: `(batch, keys, heads, d)`; each head may serve several of the query's.
        value: `(batch, keys, heads, d)`.
        bias: added to the products; not together with `mask`.
        mask: bools, False where a key does not count, `(batch, heads, queries, keys)`.
        scale: factor of the products; default 1 / sqrt(d).
        is_causal: whether a query sees no later keys.
        flash_attention: a hint that changes nothing here.
        attn_logits_soft_cap: limit c of the products: they become c tanh(product / c).

    Raises:
        ValueError: if tensors have not four axes, or both bias and mask are given.
    """
    query, key, value = floats(op, query, key, value)
    shapes = [static_shape(x) for x in (query, key, value)]
    if any(len(shape) != 4 for shape in shapes):
        raise ValueError(
            "`dot_product_attention` only supports 4D inputs. Received: "
            f"query.shape={shapes[0]}, key.shape={shapes[1]}, value.shape={shapes[2]}."
        )
    if bias is not None and mask is not None:
        raise ValueError("Only one of `bias` and `mask` can be provided. Received both.")
    heads, served = shapes[0][2], shapes[1][2]
    if isinstance(heads, int) and isinstance(served, int) and heads > served:
        key, value = (repeat(op, x, heads // served, 2) for x in (key, value))
    width = shapes[0][3]
    assert isinstance(width, int) or scale is not None
    factor = 1.0 / math.sqrt(width) if scale is None and isinstance(width, int) else scale
    scores = op.MatMul(op.Transpose(query, perm=[0, 2, 1, 3]), op.Transpose(key, perm=[0, 2, 3, 1]))
    scores = op.Mul(scores, factor)
    if attn_logits_soft_cap is not None:
        scores = op.Mul(op.Tanh(op.Div(scores, attn_logits_soft_cap)), attn_logits_soft_cap)
    if bias is not None:
        scores = op.Add(scores, op.cast(tensor(op, bias), dtype_name(scores)))
    allowed = None if mask is None else op.cast(tensor(op, mask), "bool")
    if is_causal:
        past = _no_later(op, scores)
        allowed = past if allowed is None else op.And(allowed, past)
    if allowed is not None:
        least = -0.7 * largest(dtype_name(scores))
        scores = op.Where(allowed, scores, least)
    means = op.MatMul(softmax(op, scores, -1), op.Transpose(value, perm=[0, 2, 1, 3]))
    return op.Transpose(means, perm=[0, 2, 1, 3])


def _no_later(op: Emitter, scores: ir.Value) -> ir.Value:
    """Whether a key is not later than the query."""
    rank = rank_of(scores)
    queries, keys = (counted(op, size_of(scores, axis)) for axis in (rank - 2, rank - 1))
    return op.LessOrEqual(keys, op.Unsqueeze(queries, np.array([1], np.int64)))
