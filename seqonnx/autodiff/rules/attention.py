"""Gradients of attention and rotary embeddings, through their definitions in the standard."""

from __future__ import annotations

import math
import sys

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.definition import by_definition
from seqonnx.autodiff.idioms.lengths import Number, length_at, number
from seqonnx.autodiff.idioms.sizes import positions, reshape_like, shaped, size_at
from seqonnx.autodiff.needed import given, rank
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.errors import GradientError
from seqonnx.graph import static_shape
from seqonnx.graph.reading import float_attribute

Values = list[ir.Value | None]


@gradient("", "Attention")
def attention(op: RuleEmitter, node: ir.Node, *grads: ir.Value | None) -> Gradients:
    """softmax(Q K^T scale + mask) V; the scores are computed again."""
    return by_definition(op, node, grads, lambda inputs: _attention(op, node, inputs))


def _attention(op: RuleEmitter, node: ir.Node, inputs: Values) -> Values:
    """All four outputs of the operator."""
    q, k, v = _heads(op, node, inputs)
    keys, values = _with_past(op, inputs, 4, k), _with_past(op, inputs, 5, v)
    raw = _product(op, op.Mul(q, _scale(op, node, q)), op.Transpose(keys, perm=[0, 1, 3, 2]))
    cap = float_attribute(node, "softcap", 0.0)
    capped = raw if cap == 0.0 else op.Mul(op.Tanh(op.Div(raw, cap)), cap)
    masked, allowed = _masked(op, node, inputs, capped, keys)
    precise = node.attributes.get_int("softmax_precision", None)
    scores = masked if precise is None else op.Cast(masked, to=precise)
    weights = op.Softmax(scores, axis=-1)
    weights = weights if precise is None else op.Cast(weights, to=q.dtype)
    if allowed is not None:
        some = op.ReduceMax(op.Cast(allowed, to=q.dtype), [-1], keepdims=1)
        weights = op.Mul(weights, some)
    y = _product(op, weights, values)
    if rank(given(node, 0)) == 3:
        y = reshape_like(op, op.Transpose(y, perm=[0, 2, 1, 3]), node.outputs[0])
    steps = [raw, capped, masked, weights]
    return [y, keys, values, steps[node.attributes.get_int("qk_matmul_output_mode", 0)]]


def _heads(op: RuleEmitter, node: ir.Node, inputs: Values) -> list[ir.Value]:
    """Queries, keys and values as (batch, heads, sequence, size)."""
    made = []
    for value, name in zip(inputs[:3], ["q", "kv", "kv"], strict=True):
        if value is None:
            raise GradientError(f"The Attention node '{node.name}' lacks queries, keys or values.")
        if rank(value) == 4:
            made.append(value)
            continue
        heads = node.attributes.get_int(f"{name}_num_heads", 1)
        folded = _split_heads(op, value, heads)
        made.append(op.Transpose(folded, perm=[0, 2, 1, 3]))
    return made


def _split_heads(op: RuleEmitter, x: ir.Value, heads: int) -> ir.Value:
    """(batch, sequence, heads * size) as (batch, sequence, heads, size)."""
    batch, time, width = static_shape(x)
    size = width // heads if isinstance(width, int) else None
    folded = op.Reshape(x, [0, 0, heads, -1 if size is None else size])
    return shaped(folded, [batch, time, heads, size])


def _with_past(op: RuleEmitter, inputs: Values, index: int, new: ir.Value) -> ir.Value:
    """Keys or values behind those of the cache."""
    past = inputs[index] if index < len(inputs) else None
    return new if past is None else op.Concat(past, new, axis=2)


def _scale(op: RuleEmitter, node: ir.Node, q: ir.Value) -> Number:
    """The given factor, or 1 / sqrt(head size)."""
    if "scale" in node.attributes:
        return float_attribute(node, "scale", 1.0)
    size = number(op, length_at(op, q, 3), q)
    return op.Reciprocal(op.Sqrt(size)) if isinstance(size, ir.Value) else 1 / math.sqrt(size)


def _product(op: RuleEmitter, left: ir.Value, right: ir.Value) -> ir.Value:
    """Head by head; where `right` has fewer heads, each serves a group of those of `left`."""
    many, few = static_shape(left)[1], static_shape(right)[1]
    if many == few and many is not None:
        return op.MatMul(left, right)
    rows = op.Shape(left, start=2)
    heads: list[int] | ir.Value
    if isinstance(many, int) and isinstance(few, int):
        heads, split = [many], op.Concat([0, few, many // few], rows, axis=0)
    else:
        heads, groups = size_at(op, left, 1), size_at(op, right, 1)
        split = op.Concat([0], groups, op.Div(heads, groups), rows, axis=0)
    grouped = op.MatMul(op.Reshape(left, split), op.Unsqueeze(right, [2]))
    made = op.Reshape(grouped, op.Concat([0], heads, op.Shape(grouped, start=3), axis=0))
    return shaped(made, [*static_shape(left)[:3], static_shape(right)[3]])


def _masked(
    op: RuleEmitter, node: ir.Node, inputs: Values, scores: ir.Value, keys: ir.Value
) -> tuple[ir.Value, ir.Value | None]:
    """The scores with the mask; and where they may look, if a row may have nowhere to."""
    mask = inputs[3] if len(inputs) > 3 else None
    allowed = None
    if mask is not None and mask.dtype == ir.DataType.BOOL:
        allowed = mask
    elif mask is not None:
        scores = op.Add(scores, mask)
    ahead = _causal(op, scores, keys, inputs) if node.attributes.get_int("is_causal", 0) else None
    both = [value for value in (allowed, ahead) if value is not None]
    if not both:
        return scores, None
    open_to = both[0] if len(both) == 1 else op.And(*both)
    # The lowest number rather than minus infinity: a row of these has gradients, of zero.
    lowest = -65504.0 if scores.dtype == ir.DataType.FLOAT16 else -3.4e38
    return op.Where(open_to, scores, lowest), None if allowed is None else open_to


def _causal(op: RuleEmitter, scores: ir.Value, keys: ir.Value, inputs: Values) -> ir.Value:
    """True where key j is not behind query i: j <= i + what the cache holds."""
    total = size_at(op, keys, 2)
    past = inputs[4] if len(inputs) > 4 else None
    offset = np.array([0]) if past is None else size_at(op, past, 2)
    queries = op.Add(positions(op, size_at(op, scores, 2)), offset)
    return op.LessOrEqual(op.Unsqueeze(positions(op, total), [0]), op.Unsqueeze(queries, [1]))


@gradient("", "RotaryEmbedding")
def rotary_embedding(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Turn pairs of elements by angles that the caches hold the cosines and sines of."""
    return by_definition(op, node, [dy], lambda inputs: [_rotated(op, node, inputs)])


def _rotated(op: RuleEmitter, node: ir.Node, inputs: Values) -> ir.Value:
    """The operator's output."""
    x, cos, sin = (value for value in inputs[:3] if value is not None)
    places = inputs[3] if len(inputs) > 3 else None
    if places is not None:
        cos, sin = op.Gather(cos, places, axis=0), op.Gather(sin, places, axis=0)
    flat, head_axis = rank(x) == 3, 1
    if flat:
        heads, head_axis = node.attributes.get_int("num_heads", 1), 2
        x = _split_heads(op, x, heads)
    cos, sin = op.Unsqueeze(cos, [head_axis]), op.Unsqueeze(sin, [head_axis])
    some = node.attributes.get_int("rotary_embedding_dim", 0)
    part = some > 0 and static_shape(x)[3] != some
    pairs = op.Slice(x, [0], [some], [3]) if part else x
    interleaved = node.attributes.get_int("interleaved", 0) == 1
    if interleaved:
        first, second = (op.Slice(pairs, [i], [sys.maxsize], [3], [2]) for i in (0, 1))
    else:
        first, second = op.Split(pairs, num_outputs=2, axis=3, _outputs=2)
    real = op.Sub(op.Mul(cos, first), op.Mul(sin, second))
    imaginary = op.Add(op.Mul(sin, first), op.Mul(cos, second))
    parts = [real, imaginary]
    if interleaved:
        joined = op.Concat(*[op.Unsqueeze(part, [4]) for part in parts], axis=4)
        parts = [op.Reshape(joined, [0, 0, 0, -1])]
    if part:
        parts.append(op.Slice(x, [some], [sys.maxsize], [3]))
    y = parts[0] if len(parts) == 1 else op.Concat(*parts, axis=3)
    return reshape_like(op, y, given(node, 0)) if flat else y
