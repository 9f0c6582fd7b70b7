"""Clipping: gradients are shortened before they are used."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.graph import Emitter


def clip_each_by_norm(op: Emitter, grads: Sequence[ir.Value], limit: float) -> list[ir.Value]:
    """Emit each gradient, scaled to the Euclidean norm `limit` where it is longer."""
    return [
        op.Mul(grad, _factor(op, op.ReduceSumSquare(grad, keepdims=0), limit)) for grad in grads
    ]


def clip_all_by_norm(op: Emitter, grads: Sequence[ir.Value], limit: float) -> list[ir.Value]:
    """Emit all gradients, scaled by one factor to the joint Euclidean norm `limit`.

    Source: Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks",
    2013.
    """
    squares = [op.ReduceSumSquare(grad, keepdims=0) for grad in grads]
    factor = _factor(op, op.Sum(*squares), limit)
    return [op.Mul(grad, factor) for grad in grads]


def clip_each_by_value(op: Emitter, grads: Sequence[ir.Value], limit: float) -> list[ir.Value]:
    """Emit each gradient with its elements cut to [-limit, limit]."""
    return [op.Clip(grad, -limit, limit) for grad in grads]


def _factor(op: Emitter, square: ir.Value, limit: float) -> ir.Value:
    """What a vector of this squared norm is multiplied by."""
    return op.Div(limit, op.Max(op.Sqrt(square), limit))
