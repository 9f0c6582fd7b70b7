"""Gradients of convolutions. In which forms they are computed stands in `lowering`."""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir

from seqonnx.autodiff.idioms.channels import channel_sum
from seqonnx.autodiff.idioms.definition import by_definition
from seqonnx.autodiff.idioms.sizes import shaped, size_at
from seqonnx.autodiff.idioms.window import Window, explicit_window, same_padding, window_of
from seqonnx.autodiff.lowering.convolution import DifferentiatedConvolution
from seqonnx.autodiff.lowering.convolution_forms import convolution_forms
from seqonnx.autodiff.lowering.offers import offered
from seqonnx.autodiff.lowering.weight_gradient import WEIGHT_FORMS
from seqonnx.autodiff.lowering.window_matrix import padding_along
from seqonnx.autodiff.needed import given, rank, required_sizes
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape


@gradient("", "Conv")
def conv(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Input: the transposed convolution. Weights: a product over batch and space. Bias: a sum."""
    x, w = given(node, 0), given(node, 1)
    group = node.attributes.get_int("group", 1)
    bare = explicit_window(node, _kernel(node, w), x, node.outputs[0])
    if bare.rest is None and same_padding(node) is not None:
        return by_definition(op, node, [dy], lambda ins: [_of_padded(op, node, bare, ins)])
    window = window_of(node, _kernel(node, w), x, node.outputs[0])
    db = channel_sum(op, dy) if op.needs(2) else None
    place = DifferentiatedConvolution(x, w, dy, window, group)
    made = iter(op.choose(node, convolution_forms(op, place)).emit(op, place))
    dx, dw = (
        shaped(next(made), value.shape) if op.needs(i) else None for i, value in enumerate((x, w))
    )
    return [dx, dw, db][: len(node.inputs)]


@gradient("", "ConvTranspose")
def conv_transpose(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """The roles of input and output of a convolution change places."""
    x, w, y = given(node, 0), given(node, 1), node.outputs[0]
    group = node.attributes.get_int("group", 1)
    window = _transposed_window(node, _kernel(node, w), y, x)
    dx = dw = None
    if op.needs(0):
        dx = _convolution(op, dy, w, window, group)
        if window.rest is not None and any(
            r >= s for r, s in zip(window.rest, window.strides, strict=True)
        ):
            ends = required_sizes(node, x, window.axes)
            dx = op.Slice(dx, [0] * len(ends), ends, window.axes)
        dx = shaped(dx, x.shape)
    if op.needs(1):
        place = DifferentiatedConvolution(dy, w, x, window, group)
        dw = shaped(offered(op, WEIGHT_FORMS, place)[0].emit(op, place), w.shape)
    return [dx, dw, channel_sum(op, dy) if op.needs(2) else None][: len(node.inputs)]


def _of_padded(
    op: RuleEmitter, node: ir.Node, bare: Window, inputs: list[ir.Value | None]
) -> ir.Value:
    """A convolution of "SAME_..." as padding, whose size a run knows, and a convolution."""
    ends: list[list[ir.Value | int]] = [[], []]
    for axis in range(len(bare.kernel)):
        sizes = [size_at(op, value, 2 + axis) for value in (given(node, 0), node.outputs[0])]
        both = padding_along(op, node, bare, axis, (sizes[0], sizes[1]))
        for end, pad in zip(ends, both, strict=True):
            end.append(pad)
    pads = op.Concat([0, 0], *ends[0], [0, 0], *ends[1], axis=0)
    padded = shaped(
        op.Pad(inputs[0], pads), [*static_shape(given(node, 0))[:2], *[None] * len(bare.kernel)]
    )
    return op.Conv(
        padded,
        *inputs[1:],
        group=node.attributes.get_int("group", 1),
        strides=bare.strides,
        dilations=bare.dilations,
    )


def _kernel(node: ir.Node, w: ir.Value) -> tuple[int, ...]:
    return tuple(required_sizes(node, w, list(range(2, rank(w)))))


def _transposed_window(
    node: ir.Node, kernel: tuple[int, ...], large: ir.Value, small: ir.Value
) -> Window:
    """The window of a ConvTranspose, whose pads may follow from the size of its output."""
    auto = node.attributes.get_string("auto_pad", "NOTSET")
    fixed = node.attributes.get_ints("output_shape", None)
    if fixed is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        return window_of(node, kernel, large, small)
    window = replace(
        explicit_window(node, kernel, large, small),
        before=(0,) * len(kernel),
        after=(0,) * len(kernel),
    )
    extra = node.attributes.get_ints("output_padding", None) or (0,) * len(kernel)
    if fixed is None:  # the output is `strides` times as large as the input
        rest = tuple(s - e for s, e in zip(window.strides, window.extent, strict=True))
    else:
        required_sizes(node, small, window.axes)
        rest = window.rest or ()
    total = [max(e - r, 0) for e, r in zip(extra, rest, strict=True)]
    half = tuple(t // 2 for t in total)
    other = tuple(t - h for t, h in zip(total, half, strict=True))
    before, after = (half, other) if auto == "SAME_UPPER" else (other, half)
    return replace(window, before=before, after=after)


def _convolution(op: RuleEmitter, x: ir.Value, w: ir.Value, window: Window, group: int) -> ir.Value:
    """The convolution with this window."""
    return op.Conv(
        x,
        w,
        kernel_shape=window.kernel,
        strides=window.strides,
        dilations=window.dilations,
        pads=window.before + window.after,
        group=group,
    )
