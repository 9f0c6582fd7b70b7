"""Attention by products and a softmax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.export.adapters.bodies import expand_body
from seqonnx.export.adapters.registry import adapter, integers, number, rank_of
from seqonnx.graph import Emitter
from seqonnx.graph.reading import input_at, numpy_dtype


@adapter("Attention", 23)
def _attention(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    """The plain form in few operators; any other by the definition in the standard."""
    q, k, v = node.inputs[:3]
    assert q is not None
    assert k is not None
    assert v is not None
    flat = rank_of(q) == 3
    heads = _heads(node, q, "q_num_heads", flat)
    key_heads = _heads(node, k, "kv_num_heads", flat)
    size = _size(q, heads, flat)
    if not _is_plain(node) or None in (heads, size) or heads != key_heads:
        return expand_body(op, node, 23)
    split = integers(op, [0, 0, heads or 0, -1])
    to_heads = (0, 2, 1, 3)
    if flat:
        q, v = (op.Transpose(op.Reshape(x, split), perm=to_heads) for x in (q, v))
        k = op.Transpose(op.Reshape(k, split), perm=(0, 2, 3, 1))
    else:
        k = op.Transpose(k, perm=(0, 1, 3, 2))
    scale = node.attributes.get_float("scale", 1.0 / math.sqrt(size or 1))
    scores = op.MatMul(op.Mul(q, number(op, scale, q)), k)
    if node.attributes.get_int("is_causal", 0) == 1:
        scores = op.Where(_is_past(op, scores), scores, _minus_infinity(op, scores))
    mask = input_at(node, 3)
    if mask is not None and mask.dtype == ir.DataType.BOOL:
        scores = op.Where(mask, scores, _minus_infinity(op, scores))
    elif mask is not None:
        scores = op.Add(scores, mask)
    y = op.MatMul(op.Softmax(scores, axis=-1), v)
    return [op.Reshape(op.Transpose(y, perm=to_heads), integers(op, [0, 0, -1])) if flat else y]


def _is_plain(node: ir.Node) -> bool:
    """Whether a node has no cache, gives no scores, and computes in its own dtype."""
    others = any(value is not None for value in node.inputs[4:]) or len(node.outputs) > 1
    caps = node.attributes.get_float("softcap", 0.0) != 0.0
    return not others and not caps and "softmax_precision" not in node.attributes


def _heads(node: ir.Node, x: ir.Value, attribute: str, flat: bool) -> int | None:
    if flat:
        return node.attributes.get_int(attribute, 1)
    size = None if x.shape is None else x.shape[1]
    return size if isinstance(size, int) else None


def _size(x: ir.Value, heads: int | None, flat: bool) -> int | None:
    """Numbers in each head."""
    last = None if x.shape is None else x.shape[-1]
    if not isinstance(last, int) or heads is None:
        return None
    return last // heads if flat else last


def _is_past(op: Emitter, scores: ir.Value) -> Any:
    """Where the key is not after the query; a constant where the sizes are known."""
    rows, columns = (None, None) if scores.shape is None else list(scores.shape)[-2:]
    if isinstance(rows, int) and isinstance(columns, int):
        return op.constant(np.tri(rows, columns, dtype=bool))
    zero, one = op.constant(np.array(0, np.int64)), op.constant(np.array(1, np.int64))
    shape = op.Shape(scores)
    queries, keys = (op.Gather(shape, op.constant(np.array(i, np.int64))) for i in (-2, -1))
    row = op.Unsqueeze(op.Range(zero, queries, one), integers(op, [1]))
    return op.GreaterOrEqual(row, op.Range(zero, keys, one))


def _minus_infinity(op: Emitter, like: ir.Value) -> ir.Value:
    return op.constant(np.array(-np.inf, numpy_dtype(like)))
