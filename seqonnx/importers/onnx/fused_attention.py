"""Attention and rotary embeddings of ONNX Runtime's own domain, said by those of the standard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import onnx
from onnx import helper

from seqonnx.importers.onnx.node_rewriting import NewNodes, NotKnownError, attribute

Ranks = Mapping[str, int]


def attention(node: onnx.NodeProto, ranks: Ranks) -> list[onnx.NodeProto]:
    """A projection to queries, keys and values in one product, then attention."""
    x, weights, bias, mask, past, added, _ = _filled(node.input, 7)
    if past or len([name for name in node.output if name]) > 1:
        raise ValueError("it has a cache of earlier keys and values")
    if attribute(node, "do_rotary", 0):
        raise ValueError("it turns queries and keys (`do_rotary`)")
    made = NewNodes(node.output[0])
    projected = made("MatMul", x, weights)
    if bias:
        projected = made("Add", projected, bias)
    queries, keys, values = _split(made, projected, attribute(node, "qkv_hidden_sizes", []))
    _attend(made, node, (queries, keys, values), [_mask(made, node, mask, ranks, x), added])
    return made.nodes


def multi_head_attention(node: onnx.NodeProto, ranks: Ranks) -> list[onnx.NodeProto]:
    """Attention on queries, keys and values that each get their bias."""
    q, k, v, bias, mask, added, past_key, past_value, *more = _filled(node.input, 10)
    outputs = _filled(node.output, 4)
    if any(more) or outputs[3]:
        raise ValueError("it shares the buffer of its cache, or gives its scores away")
    if "" in (q, k, v) or any(ranks.get(name, 3) != 3 for name in (q, k, v)):
        raise ValueError("its query, key and value are packed, or not of three axes each")
    made = NewNodes(node.output[0])
    if bias:
        parts = _split(made, bias, [])
        q, k, v = (made("Add", x, part) for x, part in zip((q, k, v), parts, strict=True))
    masks = [_mask(made, node, mask, ranks, q), added]
    _attend(made, node, (q, k, v), masks, (past_key, past_value), outputs[1:3])
    return made.nodes


def rotary_embedding(node: onnx.NodeProto, ranks: Ranks) -> list[onnx.NodeProto]:
    """The standard's RotaryEmbedding, for positions that may be given as a start."""
    x, positions, cos, sin = node.input
    if attribute(node, "is_packed_batching", 0) or attribute(node, "scale", 1.0) != 1.0:
        raise ValueError("it takes packed batches, or has a `scale`")
    made = NewNodes(node.output[0])
    heads = attribute(node, "num_heads", 0)
    flat = _rank(x, ranks) == 3
    if flat and heads == 0:
        size = made("Mul", made("Shape", cos, start=1, end=2), made.integers(2))
        shape = made("Concat", made.integers(0, 0, -1), size, axis=0)
        turned = made("Transpose", made("Reshape", x, shape), perm=[0, 2, 1, 3])
    else:
        turned = x
    if _rank(positions, ranks) != 2:
        positions = _counted(made, x, positions, 1 if flat else 2)
    settings = {
        name: attribute(node, name, 0)
        for name in ("interleaved", "num_heads", "rotary_embedding_dim")
    }
    if turned == x:
        made("RotaryEmbedding", x, cos, sin, positions, last=True, **settings)
    else:
        y = made("RotaryEmbedding", turned, cos, sin, positions, **settings)
        back = made("Transpose", y, perm=[0, 2, 1, 3])
        made("Reshape", back, made.integers(0, 0, -1), last=True)
    return made.nodes


def _attend(
    made: NewNodes,
    node: onnx.NodeProto,
    heads: tuple[str, str, str],
    masks: list[str],
    past: tuple[str, str] = ("", ""),
    present: list[str] | None = None,
) -> None:
    """Add the attention itself, as the last operator."""
    scores = [mask for mask in masks if mask]
    mask = made("Add", *scores) if len(scores) == 2 else "".join(scores)
    count = attribute(node, "num_heads", 1)
    settings = {"q_num_heads": count, "kv_num_heads": count}
    scale = attribute(node, "scale", 0.0)
    if scale != 0.0:
        settings["scale"] = scale
    if attribute(node, "unidirectional", 0):
        settings["is_causal"] = 1
    outputs = [node.output[0], *(present or [])]
    while outputs[-1] == "":
        outputs.pop()
    inputs = [*heads, mask, *past]
    while inputs[-1] == "":
        inputs.pop()
    made.nodes.append(helper.make_node("Attention", inputs, outputs, outputs[0], **settings))


def _split(made: NewNodes, packed: str, sizes: list[int]) -> tuple[str, str, str]:
    """The three parts of the last axis.

    By Split, whose sizes inference knows: onnx 1.23 takes unknown ones for 0 behind an Attention.
    """
    parts = (f"{packed}/q", f"{packed}/k", f"{packed}/v")
    inputs = [packed, made.integers(*sizes)] if len(sizes) > 0 else [packed]
    count: dict[str, Any] = {} if len(sizes) > 0 else {"num_outputs": 3}
    made.nodes.append(
        helper.make_node("Split", inputs, list(parts), f"{packed}/split", axis=-1, **count)
    )
    return parts


def _mask(made: NewNodes, node: onnx.NodeProto, mask: str, ranks: Ranks, like: str) -> str:
    """The numbers that a mask of ones and zeros adds to the scores, for each query."""
    if not mask:
        return ""
    rank = _rank(mask, ranks)
    if rank not in {2, 3}:
        raise ValueError(f"its mask '{mask}' has {rank} axes, not 2 or 3")
    kept = made("Cast", mask, to=onnx.TensorProto.BOOL)
    kept = made("Unsqueeze", kept, made.integers(1, 2) if rank == 2 else made.integers(1))
    lowest = made.float_like(attribute(node, "mask_filter_value", -10000.0), like)
    scores = made("Where", kept, made.float_like(0.0, like), lowest)
    if rank == 3:
        return scores
    # The kernel of ONNX Runtime 1.32 repeats a mask for no query.
    one = made.integers(1)
    length = made("Shape", like, start=1, end=2)
    return made("Expand", scores, made("Concat", one, one, length, one, axis=0))


def _counted(made: NewNodes, x: str, start: str, axis: int) -> str:
    """Positions from a start on, the same for every row."""
    length = made("Squeeze", made("Shape", x, start=axis, end=axis + 1))
    steps = made("Add", made("Range", made.number(0), length, made.number(1)), start)
    rows = made("Shape", x, start=0, end=1)
    shape = made("Concat", rows, made("Shape", x, start=axis, end=axis + 1), axis=0)
    return made("Expand", steps, shape)


def _rank(name: str, ranks: Ranks) -> int:
    """The number of axes of a tensor; a NotKnownError says that it is not known."""
    if name not in ranks:
        raise NotKnownError(f"the number of axes of '{name}'")
    return ranks[name]


def _filled(names: Iterable[str], count: int) -> list[str]:
    """Names, with empty ones behind them."""
    given = list(names)
    return [*given, *[""] * (count - len(given))]
