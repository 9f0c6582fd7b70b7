"""Sample weights: which shapes fit values, and how they are spread over these."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from seqonnx.graph import Dim, Emitter, static_shape


def without_leading_ones(op: Emitter, weight: ir.Value, values: ir.Value | None = None) -> ir.Value:
    """Turn a row of weights `(1, N)` into `(N,)`, one for each sample.

    Args:
        op: emitter of the graph.
        weight: weights of any rank.
        values: what they are for, batch first: a row that fits their columns is left as it is.
            None where columns have no weights.
    """
    own = static_shape(weight)
    theirs = () if values is None else static_shape(values)
    while len(own) > 1 and own[0] == 1 and not _broadcasts(own, theirs):
        weight = op.Squeeze(weight, [0])
        own = own[1:]
    return weight


def spread_weights(op: Emitter, weight: ir.Value, values: ir.Value) -> ir.Value:
    """Give weights the rank of the values: one weight per sample counts for all its values.

    Args:
        op: emitter of the graph.
        weight: one number, or weights of the first axes of `values`; sizes of 1 are broadcast.
        values: what they are for, batch first.

    Returns:
        Weights that multiply the values; a number stays one.

    Raises:
        ValueError: if the weights do not fit.
    """
    weight = without_leading_ones(op, weight, values)
    own, theirs = static_shape(weight), static_shape(values)
    extra = len(own) - len(theirs)
    if extra > 0 and all(size == 1 for size in own[len(theirs) :]):
        weight = op.Squeeze(weight, list(range(-extra, 0)))
    elif extra < 0 and len(own) > 0:
        weight = op.Unsqueeze(weight, list(range(extra, 0)))
    refuse_misfit(weight, values)
    return weight


def refuse_misfit(weight: ir.Value, values: ir.Value) -> None:
    """Raise a ValueError if weights cannot be broadcast to the values."""
    own, theirs = static_shape(weight), static_shape(values)
    if not _broadcasts(own, theirs):
        raise ValueError(
            f"`sample_weight` of shape {own} does not fit values of shape {theirs}. Pass one "
            "number, one for each sample, or one for each value."
        )


def _broadcasts(own: Sequence[Dim], theirs: Sequence[Dim]) -> bool:
    """Whether weights of a shape can count for the first axes of values; unknown sizes can."""
    return len(own) <= len(theirs) and all(
        size == 1 or not isinstance(size, int) or not isinstance(other, int) or size == other
        for size, other in zip(own, theirs, strict=False)
    )
