"""Categories: integers as vectors that have a place for each category."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, ir_dtype, static_shape

OLD_NAMES: Final = {"binary": "multi_hot", "tf-idf": "tf_idf"}
"""Deprecated names of output modes."""


def encode(
    op: Emitter,
    indices: ir.Value,
    mode: str,
    depth: int,
    dtype: str,
    weights: ir.Value | None = None,
) -> ir.Value:
    """Emit the categories as vectors; an integer outside of [0, `depth`) counts for none.

    Args:
        op: emitter of the graph.
        indices: integers of any rank.
        mode: `"int"` leaves them as they are; `"one_hot"` makes a vector of each, in place of a
            last axis of size 1 where there is one; `"multi_hot"` (whether a category occurs) and
            `"count"` (how often) make one of all along axis 1, or of all where there is one axis.
        depth: number of categories.
        dtype: dtype of the result.
        weights: for `"count"`, what each integer counts for, of the shape of `indices`.

    Returns:
        A value; in other modes than `"int"` its last axis has size `depth`.
    """
    if mode == "int":
        return op.cast(indices, dtype)
    indices = op.cast(indices, "int64")
    if len(static_shape(indices)) == 0:
        indices = op.Unsqueeze(indices, [0])
    if mode == "one_hot":
        return _one_hot(op, indices, depth, dtype)
    return _gathered(op, indices, mode, depth, dtype, weights)


def check_mode(mode: Any, legal: Sequence[str], layer: str) -> str:
    """Return an output mode under its present name.

    Raises:
        ValueError: if it is not among those that are legal.
    """
    chosen = OLD_NAMES.get(str(mode), mode)
    if chosen not in legal:
        raise ValueError(
            f"Unknown value for `output_mode` argument of {layer}. Allowed values are: "
            f"{tuple(legal)}. Received: output_mode={mode}"
        )
    return str(chosen)


def check_dense(sparse: bool) -> bool:
    """Refuse sparse results.

    Raises:
        ValueError: if they are asked for.
    """
    if sparse:
        raise ValueError(
            "`sparse=True` cannot be had: ONNX Runtime's operators compute with dense tensors. "
            "Leave it out; the result has the same numbers. Received: sparse=True"
        )
    return False


def _one_hot(op: Emitter, indices: ir.Value, depth: int, dtype: str) -> ir.Value:
    shape = static_shape(indices)
    if len(shape) > 1 and shape[-1] == 1:
        indices = op.Squeeze(indices, [-1])
    places = op.constant(np.arange(depth, dtype=np.int64), "places")
    return op.Cast(op.Equal(op.Unsqueeze(indices, [-1]), places), to=ir_dtype(dtype))


def _gathered(
    op: Emitter, indices: ir.Value, mode: str, depth: int, dtype: str, weights: ir.Value | None
) -> ir.Value:
    """Scatter into a vector with one place more, for the integers that count for none."""
    rank = len(static_shape(indices))
    order = [0, *range(2, rank), 1]
    ones = op.Expand(op.constant(np.ones(1, np.float32), "one"), op.Shape(indices))
    counted = ones if weights is None else op.cast(weights, "float32")
    if rank > 2:
        indices, counted = (op.Transpose(value, perm=order) for value in (indices, counted))
    outside = op.Or(op.Less(indices, 0), op.Less(depth - 1, indices))
    indices = op.Where(outside, depth, indices)
    size = op.Concat(op.Shape(indices, start=0, end=-1), [depth + 1], axis=0)
    zeros = op.Expand(op.constant(np.zeros(1, np.float32), "zero"), size)
    reduction = "add" if mode == "count" else "max"
    found = op.ScatterElements(zeros, indices, counted, axis=-1, reduction=reduction)
    kept = op.Slice(found, [0], [depth], [-1])
    return op.cast(shaped(op, kept, (*static_shape(indices)[:-1], depth)), dtype)


def shaped(op: Emitter, value: ir.Value, shape: Sequence[Dim]) -> ir.Value:
    """Emit that a value has this shape, which shape inference does not find out."""
    sizes = [size if isinstance(size, int) else 0 for size in shape]
    known: ir.Value = op.Reshape(value, sizes)
    known.shape = ir.Shape(shape)
    return known
