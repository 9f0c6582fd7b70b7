"""Distances between numbers: squared, absolute, relative, logarithmic, robust."""

from __future__ import annotations

import math

import onnx_ir as ir

from seqonnx.defaults import epsilon
from seqonnx.graph import Emitter
from seqonnx.objectives.align import aligned, mean_of_last
from seqonnx.objectives.loss_function import loss_function


@loss_function
def mean_squared_error(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit mean((y_pred - y_true)^2) over the last axis.

    Args:
        op: emitter of the graph.
        y_true: targets, with the shape of `y_pred` (a last dimension of 1 may be missing).
        y_pred: predictions, shape `(batch, ...)`.

    Returns:
        Values of shape `y_pred.shape[:-1]`.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    error = op.Sub(y_pred, y_true)
    return mean_of_last(op, op.Mul(error, error))


@loss_function
def mean_absolute_error(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit mean(|y_pred - y_true|) over the last axis; arguments as `mean_squared_error`."""
    y_true, y_pred = aligned(op, y_true, y_pred)
    return mean_of_last(op, op.Abs(op.Sub(y_pred, y_true)))


@loss_function
def mean_absolute_percentage_error(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit 100 mean(|y_pred - y_true| / max(|y_true|, 1e-7)) over the last axis.

    Arguments as `mean_squared_error`.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    size = op.Max(op.Abs(y_true), epsilon())
    return mean_of_last(op, op.Mul(op.Abs(op.Div(op.Sub(y_pred, y_true), size)), 100.0))


@loss_function
def mean_squared_logarithmic_error(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit mean((log(1 + y_pred) - log(1 + y_true))^2) over the last axis, both at least 1e-7.

    Arguments as `mean_squared_error`.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    logarithms = [op.Log(op.Add(op.Max(value, epsilon()), 1.0)) for value in (y_pred, y_true)]
    error = op.Sub(*logarithms)
    return mean_of_last(op, op.Mul(error, error))


@loss_function
def huber(op: Emitter, y_true: ir.Value, y_pred: ir.Value, delta: float = 1.0) -> ir.Value:
    """Emit the mean over the last axis of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2).

    Both branches are c (e - c / 2) with c = clip(e, -delta, delta).

    Args:
        op: emitter of the graph.
        y_true: targets, with the shape of `y_pred` (a last dimension of 1 may be missing).
        y_pred: predictions, shape `(batch, ...)`.
        delta: error where the quadratic becomes a line.

    Returns:
        Values of shape `y_pred.shape[:-1]`. Source: Huber, "Robust estimation of a location
        parameter", 1964.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    error = op.Sub(y_pred, y_true)
    clipped = op.Clip(error, -delta, delta)
    return mean_of_last(op, op.Mul(clipped, op.Sub(error, op.Mul(clipped, 0.5))))


@loss_function
def log_cosh(op: Emitter, y_true: ir.Value, y_pred: ir.Value) -> ir.Value:
    """Emit mean(log(cosh(e))) of the error e over the last axis, as e + softplus(-2 e) - log 2.

    Arguments as `mean_squared_error`.
    """
    y_true, y_pred = aligned(op, y_true, y_pred)
    error = op.Sub(y_pred, y_true)
    upper = op.Add(error, op.Softplus(op.Mul(error, -2.0)))
    return mean_of_last(op, op.Sub(upper, math.log(2.0)))
