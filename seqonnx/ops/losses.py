"""Formulas of losses, one number for each prediction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.defaults import epsilon
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.objectives.ctc import alignments
from seqonnx.ops.activation import log_softmax, softplus
from seqonnx.ops.promotion import floating, floats, tensor
from seqonnx.ops.reading import places
from seqonnx.ops.reduction import mean
from seqonnx.ops.sizes import axis_of, rank_of
from seqonnx.tensor_function import tensor_function


@tensor_function()
def binary_crossentropy(
    op: Emitter, target: Any, output: Any, from_logits: bool = False
) -> ir.Value:
    """Return -(y log p + (1 - y) log(1 - p)) for each number.

    Args:
        target: targets y in [0, 1].
        output: probabilities p, or logits, of the same shape.
        from_logits: whether `output` has not been through a sigmoid.

    Raises:
        ValueError: if the shapes differ.
    """
    y, p = floats(op, target, output)
    _check_same(y, p)
    if from_logits:
        return op.Sub(softplus(op, p), op.Mul(p, y))
    p = op.Clip(p, epsilon(), 1.0 - epsilon())
    hit = op.Mul(y, op.Log(p))
    return op.Neg(op.Add(hit, op.Mul(op.Sub(1.0, y), op.Log(op.Sub(1.0, p)))))


@tensor_function()
def categorical_crossentropy(
    op: Emitter, target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> ir.Value:
    """Return -sum(y log p) along the axis of the classes.

    Args:
        target: weights y of the classes, such as one-hot rows.
        output: probabilities, scaled to the sum 1, or logits.
        from_logits: whether `output` has not been through a softmax.
        axis: the axis of the classes.

    Raises:
        ValueError: if the shapes differ, or there is no axis.
    """
    y, p = floats(op, target, output)
    _check_same(y, p)
    if rank_of(p) < 1:
        raise ValueError(
            "Arguments `target` and `output` must be at least rank 1. Received: "
            f"target.shape={static_shape(y)}, output.shape={static_shape(p)}"
        )
    at = axis_of(axis, rank_of(p))
    return op.Neg(op.ReduceSum(op.Mul(y, _log_of(op, p, from_logits, at)), [at], keepdims=0))


@tensor_function()
def sparse_categorical_crossentropy(
    op: Emitter, target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> ir.Value:
    """Return -log(p of the labelled class).

    Args:
        target: labels, integers; of the shape of `output` without the axis of the classes, or
            with 1 in its place.
        output: probabilities, scaled to the sum 1, or logits.
        from_logits: whether `output` has not been through a softmax.
        axis: the axis of the classes.

    Raises:
        ValueError: if the shapes do not go together.
    """
    p = floating(op, output)
    at = axis_of(axis, rank_of(p))
    labels = places(op, target)
    if rank_of(labels) == rank_of(p) - 1:
        labels = op.Unsqueeze(labels, [at])
    if rank_of(labels) != rank_of(p) or static_shape(labels)[at] != 1:
        raise ValueError(
            "Arguments `target` and `output` must have the same shape up until the last "
            f"dimension: target.shape={static_shape(tensor(op, target))}, "
            f"output.shape={static_shape(p)}"
        )
    log_p = op.GatherElements(_log_of(op, p, from_logits, at), labels, axis=at)
    return op.Neg(op.Squeeze(log_p, [at]))


@tensor_function()
def ctc_loss(
    op: Emitter,
    target: Any,
    output: Any,
    target_length: Any,
    output_length: Any,
    mask_index: int = 0,
) -> ir.Value:
    """Return -log of the probability of texts, summed over all their places in sequences.

    Args:
        target: labels, integers of shape `(batch, letters)`.
        output: logits of shape `(batch, time, classes)`.
        target_length: how many letters each text has, shape `(batch,)`.
        output_length: how many steps each sequence has, shape `(batch,)`.
        mask_index: the class that says that there is no letter.
    """
    whole = [op.cast(tensor(op, x), "int64") for x in (target, target_length, output_length)]
    labels, letters, times = whole
    return alignments(op, labels, floating(op, output), letters, times, mask_index)


@tensor_function()
def psnr(op: Emitter, x1: Any, x2: Any, max_val: float) -> ir.Value:
    """Return the peak ratio of signal to noise, in decibels.

    Args:
        x1: tensor.
        x2: tensor of the same shape.
        max_val: the largest value that there can be.
    """
    x1, x2 = floats(op, x1, x2)
    _check_same(x1, x2)
    apart = op.Sub(x1, x2)
    error = mean(op, op.Mul(apart, apart))
    peak = op.Log(op.cast(tensor(op, max_val, dtype_name(x1)), dtype_name(x1)))
    return op.Mul(op.Sub(op.Mul(peak, 2.0), op.Log(error)), 10.0 / math.log(10.0))


def _log_of(op: Emitter, output: ir.Value, from_logits: bool, axis: int) -> ir.Value:
    """Logarithms of probabilities."""
    if from_logits:
        return log_softmax(op, output, axis)
    p = op.Div(output, op.ReduceSum(output, np.array([axis], np.int64), keepdims=1))
    return op.Log(op.Clip(p, epsilon(), 1.0 - epsilon()))


def _check_same(first: ir.Value, second: ir.Value) -> None:
    """Refuse shapes that are known to differ."""
    a, b = static_shape(first), static_shape(second)
    differ = any(
        isinstance(n, int) and isinstance(m, int) and n != m for n, m in zip(a, b, strict=False)
    )
    if len(a) != len(b) or differ:
        raise ValueError(
            "Arguments `target` and `output` must have the same shape. Received: "
            f"target.shape={a}, output.shape={b}"
        )
