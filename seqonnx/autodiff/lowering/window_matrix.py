"""Windows of sizes that only a run knows: their padding, and which of them holds which element.

Where the sizes are known, `window` and `average_pooling` make constants of the same.
"""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.idioms.sizes import positions, scalar, size_at
from seqonnx.autodiff.idioms.window import Window, same_padding
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.rule_emitter import RuleEmitter


def window_matrix(
    op: RuleEmitter, node: ir.Node, window: Window, axis: int
) -> tuple[ir.Value, ir.Value]:
    """Compute which windows hold which elements.

    Args:
        op: the rule's emitter.
        node: a pool.
        window: its window; the padding only counts where the node does not say "SAME_...".
        axis: number of the spatial axis.

    Returns:
        A matrix of zeros and ones (elements, windows) in the type of the pool's input, and how
        many elements of the padded input each window holds (windows,).
    """
    x, y = given(node, 0), node.outputs[0]
    stride, reach = window.strides[axis], window.extent[axis]
    size, count = (scalar(op, size_at(op, value, 2 + axis)) for value in (x, y))
    before, after = padding_along(op, node, window, axis, (size, count))
    starts = op.Sub(op.Mul(positions(op, size_at(op, y, 2 + axis)), stride), before)
    elements = op.Unsqueeze(positions(op, size_at(op, x, 2 + axis)), [1])
    offset = op.Sub(elements, starts)
    inside = op.And(op.GreaterOrEqual(offset, 0), op.Less(offset, reach))
    dilation = window.dilations[axis]
    if dilation > 1:
        inside = op.And(inside, op.Equal(op.Mod(offset, dilation), 0))
    room = op.Sub(op.Add(size, after), starts)
    taps = op.Min(op.Div(op.Add(room, dilation - 1), dilation), window.kernel[axis])
    return op.Cast(inside, to=x.dtype), op.Cast(taps, to=x.dtype)


def padding_along(
    op: RuleEmitter, node: ir.Node, window: Window, axis: int, sizes: tuple[ir.Value, ir.Value]
) -> tuple[int | ir.Value, int | ir.Value]:
    """Padding before and after; for "SAME_..." just enough that the windows cover everything.

    `sizes` are that of the input and the number of windows, scalars or vectors of one integer.
    """
    same, (size, count) = same_padding(node), sizes
    if same is None:
        return window.before[axis], window.after[axis]
    covered = op.Add(op.Mul(op.Sub(count, 1), window.strides[axis]), window.extent[axis])
    total = op.Max(op.Sub(covered, size), 0)
    half = op.Div(total, 2)
    rest = op.Sub(total, half)
    return (half, rest) if same == "SAME_UPPER" else (rest, half)
