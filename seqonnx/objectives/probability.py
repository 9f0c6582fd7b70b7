"""Distances between distributions: Kullback-Leibler and Poisson."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.defaults import epsilon
from seqonnx.graph import Emitter
from seqonnx.objectives.align import aligned, mean_of_last, to_type_of
from seqonnx.objectives.loss_function import loss_function


@loss_function
def kl_divergence(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit sum(y_true log(y_true / y_pred)) over the last axis, both clipped to [1e-7, 1].

    Args:
        op: emitter of the graph.
        y_true: distributions along the last axis, with the shape of `y_pred`.
        y_pred: distributions along the last axis, shape `(batch, ..., classes)`.

    Returns:
        Values of shape `y_pred.shape[:-1]`.
    """
    p = op.Clip(to_type_of(op, y_true, y_pred), epsilon(), 1.0)
    q = op.Clip(y_pred, epsilon(), 1.0)
    terms = op.Mul(p, op.Sub(op.Log(p), op.Log(q)))
    return op.ReduceSum(terms, [-1], keepdims=0)


@loss_function
def poisson(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit mean(y_pred - y_true log(y_pred + 1e-7)) over the last axis.

    This is the negative logarithm of the likelihood of counts `y_true` under Poisson
    distributions with means `y_pred`, without the term that does not depend on `y_pred`.

    Args:
        op: emitter of the graph.
        y_true: counts, with the shape of `y_pred` (a last dimension of 1 may be missing).
        y_pred: means, positive, shape `(batch, ...)`.

    Returns:
        Values of shape `y_pred.shape[:-1]`.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    likelihood = op.Mul(y_true, op.Log(op.Add(y_pred, epsilon())))
    return mean_of_last(op, op.Sub(y_pred, likelihood))
