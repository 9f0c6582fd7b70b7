"""Reduction: per-sample values, weights and masks become the number that is minimised."""

from __future__ import annotations

from typing import Any, Final

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.objectives import match_ranks, spread_weights, to_type_of

REDUCTIONS: Final = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")


def standardize_reduction(reduction: Any) -> str:
    """Return the name of a reduction; None is `"none"`.

    Raises:
        ValueError: if there is no such reduction.
    """
    if reduction is None:
        return "none"
    if reduction not in REDUCTIONS:
        raise ValueError(
            "Invalid value for argument `reduction`. Expected one of "
            f"{', '.join(REDUCTIONS)} or None. Received: reduction={reduction}"
        )
    return str(reduction)


def reduce_weighted(
    op: Emitter,
    values: ir.Value,
    sample_weight: ir.Value | None,
    mask: ir.Value | None,
    reduction: str,
) -> ir.Value:
    """Emit the reduction of per-sample values.

    `sum_over_batch_size` and `mean` divide by the number of values, not by the sum of the
    weights; under a mask, by the number of values that it keeps.

    Args:
        op: emitter of the graph.
        values: per-sample values, shape `(batch, ...)`.
        sample_weight: one number, or weights of shape `(batch,)` or that of the first axes of
            `values`.
        mask: True (or not 0) where a value counts, shape as `sample_weight`.
        reduction: one of `REDUCTIONS`.

    Returns:
        A scalar; the weighted values themselves for `"none"`.
    """
    weight = None
    if sample_weight is not None:
        values, weight = _fit(op, values, to_type_of(op, sample_weight, values))
    if mask is not None:
        values, mask = _fit(op, values, to_type_of(op, mask, values))
        weight = mask if weight is None else op.Mul(weight, mask)
    if weight is not None:
        values = op.Mul(values, weight)
    if reduction == "none" or len(static_shape(values)) == 0:
        return values
    divisor = None
    if reduction == "mean_with_sample_weight":
        divisor = weight
    elif reduction != "sum":
        divisor = mask
    if divisor is not None:
        return _divide_or_zero(op, values, divisor)
    reduce = op.ReduceSum if reduction == "sum" else op.ReduceMean
    result: ir.Value = reduce(values, keepdims=0)
    return result


def _fit(op: Emitter, values: ir.Value, weight: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Give weights the rank of the values: one weight per sample counts for all its values."""
    values, weight = match_ranks(op, values, weight)
    rank, shape = len(static_shape(values)), static_shape(weight)
    if len(shape) > rank and (rank == 0 or shape[0] == 1):
        return values, weight
    return values, spread_weights(op, weight, values)


def _divide_or_zero(op: Emitter, values: ir.Value, divisor: ir.Value) -> ir.Value:
    """Sum of the values over the sum of the divisor's entries, one for each value; 0 if it is 0."""
    if static_shape(divisor) != static_shape(values):
        divisor = op.Expand(divisor, op.Shape(values))
    total = op.ReduceSum(divisor, keepdims=0)
    empty = to_type_of(op, op.Equal(total, 0.0), total)
    return op.Div(op.ReduceSum(values, keepdims=0), op.Add(total, empty))
