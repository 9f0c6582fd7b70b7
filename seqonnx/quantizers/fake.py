"""Fake quantisation between two ends that may train."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.graph.reading import STOP_GRADIENT
from seqonnx.ops.promotion import floating
from seqonnx.ops.sizes import axis_of
from seqonnx.tensor_function import tensor_function


@tensor_function(kind="quantization")
def fake_quant_with_min_max_vars(
    op: Emitter,
    inputs: ir.Value,
    min_vals: ir.Value,
    max_vals: ir.Value,
    num_bits: int = 8,
    narrow_range: bool = False,
    axis: int | None = None,
) -> ir.Value:
    """Return numbers rounded to those that a range has, whose ends are moved so that 0 is one.

    The gradient goes straight through inside of the range, and to the end that a number is beyond
    (Jacob et al., 2018).

    Args:
        inputs: tensor of floating-point numbers.
        min_vals: the lower end; a vector of them where there is an axis.
        max_vals: the upper end; the same.
        num_bits: the range has 2 to this power numbers.
        narrow_range: whether it has one less.
        axis: axis whose entries have ends of their own; None: one range for all.

    Example:
        >>> fake_quant_with_min_max_vars([-0.2, 0.26, 2.0], 0.0, 1.5, num_bits=2).tolist()
        [0.0, 0.5, 1.5]
    """
    x = floating(op, inputs)
    wide = op.cast(x, "float32")
    ends = [op.cast(floating(op, end), "float32") for end in (min_vals, max_vals)]
    if axis is not None:
        rank = len(static_shape(x))
        sizes = [-1 if i == axis_of(axis, rank) else 1 for i in range(rank)]
        ends = [op.Reshape(end, sizes) for end in ends]
    low, high, scale, steps = _nudged(op, ends, 2 ** int(num_bits) - 1, int(narrow_range))
    inside = op.Sub(op.Min(op.Max(wide, low), high), low)
    zero = op.Floor(op.Add(op.Mul(op.Neg(low), steps), np.float32(0.5)))
    places = op.Sub(op.Mul(inside, steps), zero)
    rounded = _held(op, op.Mul(op.Floor(op.Add(places, np.float32(0.5))), scale))
    beyond = [op.Less(wide, low), op.Greater(wide, high)]
    through = op.Where(beyond[0], ends[0], op.Where(beyond[1], ends[1], wide))
    return op.cast(op.Add(rounded, op.Sub(through, _held(op, through))), dtype_name(x))


def _nudged(op: Emitter, ends: list[ir.Value], most: int, least: int) -> list[ir.Value]:
    """The ends with 0 among the numbers between, the step and its inverse, without a gradient."""
    count = np.float32(most - least)
    apart = op.Sub(ends[1], ends[0])
    scale, steps = op.Div(apart, count), op.Div(count, apart)
    zero = op.Clip(op.Sub(np.float32(least), op.Div(ends[0], scale)), float(least), float(most))
    zero = op.Round(zero)
    low, high = (op.Mul(op.Sub(np.float32(end), zero), scale) for end in (least, most))
    return [_held(op, value) for value in (low, high, scale, steps)]


def _held(op: Emitter, value: ir.Value) -> ir.Value:
    """A value that no gradient goes through."""
    with op.scope(STOP_GRADIENT):
        result: ir.Value = op.Identity(value)
    return result
