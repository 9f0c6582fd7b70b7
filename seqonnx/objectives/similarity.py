"""Similarities of vectors: the cosine of their angle, and a loss of pairs of embeddings."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.defaults import epsilon
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.objectives.align import aligned, axes_in, to_type_of
from seqonnx.objectives.loss_function import loss_function


def cosine(op: Emitter, y_true: ir.Value, y_pred: ir.Value, axis: int = -1) -> ir.Value:
    """Emit the cosine of the angle between the vectors along an axis: 1 is parallel.

    A vector shorter than 1e-7 is divided by 1e-7 in place of its length, so that a zero vector
    gives 0.

    Args:
        op: emitter of the graph.
        y_true: targets, with the shape of `y_pred` (a last dimension of 1 may be missing).
        y_pred: predictions, shape `(batch, ...)`.
        axis: the axis along which the vectors lie.

    Returns:
        Values of the shape of `y_pred` without the axis.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    axes = axes_in(y_pred, axis)
    dot = op.ReduceSum(op.Mul(y_true, y_pred), axes, keepdims=0)
    lengths = [
        op.Sqrt(op.Max(op.ReduceSum(op.Mul(value, value), axes, keepdims=0), epsilon() ** 2))
        for value in (y_true, y_pred)
    ]
    return op.Div(dot, op.Mul(*lengths))


@loss_function
def cosine_similarity(op: Emitter, y_true: ir.Value, y_pred: ir.Value, axis: int = -1) -> ir.Value:
    """Emit minus the cosine of the angle between vectors: -1 is parallel; arguments as `cosine`."""
    return op.Neg(cosine(op, y_true, y_pred, axis))


@loss_function
def circle(
    op: Emitter,
    y_true: ir.Value,
    y_pred: ir.Value,
    ref_labels: ir.Value | None = None,
    ref_embeddings: ir.Value | None = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> ir.Value:
    """Emit softplus(log sum exp of the pairs of one label + that of the pairs of two labels).

    With the distance d = max(1 - cosine, 0) of a pair and the margin m, a pair of one label adds
    -gamma (m + d) (m - d), one of two labels gamma (1 + m - d) (1 - m - d), where the factors in
    the middle are at least 0. Samples without a pair of one label, or without one of two, get 0
    and do not count: they are masked.

    Args:
        op: emitter of the graph.
        y_true: integer labels, shape `(batch,)` or `(batch, 1)`.
        y_pred: embeddings of the length 1, shape `(batch, size)`.
        ref_labels: labels of what the samples are compared with; default: those of the batch.
        ref_embeddings: embeddings of these; default: those of the batch.
        remove_diagonal: whether no sample is compared with the one in its own place.
        gamma: factor of the exponents.
        margin: the m above.

    Returns:
        Values of shape `(batch,)`. Source: Sun et al., "Circle loss: a unified perspective of
        pair similarity optimization", 2020.
    """
    others = y_pred if ref_embeddings is None else to_type_of(op, ref_embeddings, y_pred)
    labels = _column(op, y_true)
    references = labels if ref_labels is None else _column(op, ref_labels)
    one_label = op.Equal(labels, op.Transpose(references, perm=[1, 0]))
    two_labels = op.Not(one_label)
    if remove_diagonal:
        places = [_counted(op, value) for value in (labels, references)]
        apart = op.Not(op.Equal(op.Unsqueeze(places[0], [1]), op.Unsqueeze(places[1], [0])))
        one_label = op.And(one_label, apart)
    distance = op.Relu(op.Sub(1.0, op.MatMul(y_pred, op.Transpose(others, perm=[1, 0]))))
    near = op.Mul(op.Mul(op.Add(distance, margin), op.Sub(distance, margin)), float(gamma))
    far = op.Mul(op.Relu(op.Sub(1.0 + margin, distance)), op.Sub(1.0 - margin, distance))
    total = op.Add(
        _log_sum(op, one_label, near), _log_sum(op, two_labels, op.Mul(far, float(gamma)))
    )
    top = op.Relu(total)
    # softplus(x) with a gradient of 1/2 at 0, where two terms of the usual form have a kink.
    values = op.Add(top, op.Log(op.Add(op.Exp(op.Sub(total, top)), op.Exp(op.Neg(top)))))
    op.set_mask(values, op.Greater(values, 0.0))
    return values


def _column(op: Emitter, labels: ir.Value) -> ir.Value:
    """Labels as integers of shape `(samples, 1)`."""
    labels = op.Unsqueeze(labels, [-1]) if len(static_shape(labels)) == 1 else labels
    return op.cast(labels, "int64")


def _counted(op: Emitter, column: ir.Value) -> ir.Value:
    """0, 1, 2 ... for each row of a column."""
    rows = op.Squeeze(op.Shape(column, start=0, end=1), [0])
    return op.Range(np.array(0, np.int64), rows, np.array(1, np.int64))


def _log_sum(op: Emitter, chosen: ir.Value, exponents: ir.Value) -> ir.Value:
    """The logarithm of the sum of the exponentials of chosen numbers of each row.

    Of none it is a number so low that the softplus of it is 0; minus infinity would have no
    gradient.
    """
    lowest = float(np.finfo(dtype_name(exponents)).min) / 4
    return op.ReduceLogSumExp(op.Where(chosen, exponents, lowest), [1], keepdims=0)
