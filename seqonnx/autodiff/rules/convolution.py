"""Gradients of convolutions. How the weight gradient is computed stands in `weight_gradient`."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import onnx_ir as ir

from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.rules.channels import channel_sum
from seqonnx.autodiff.rules.definition import by_definition
from seqonnx.autodiff.rules.reading import given, rank, static_sizes
from seqonnx.autodiff.rules.shared_windows import both_gradients, shares_windows
from seqonnx.autodiff.rules.sizes import shaped, size_at
from seqonnx.autodiff.rules.weight_gradient import FEW_CHANNELS, may_chunk, weight_gradient
from seqonnx.autodiff.rules.window import Window, explicit_window, same_padding, window_of
from seqonnx.autodiff.rules.window_matrix import padding_along
from seqonnx.graph import Dim, static_shape

_WIDE = 5
"""From this kernel size on ConvTranspose is faster than a convolution with flipped weights."""

_SHARED = "shared windows"
_FLIPPED, _TRANSPOSED = "flipped convolution", "transposed convolution"
_CHUNKS, _WHOLE = "in chunks", "at once"
"""Names of the ways: both gradients together; that of the input; that of the weights."""


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
    way = op.choose(node, _ways(op, x, dy, window, group))
    if way == _SHARED:
        of_input, of_weights = both_gradients(op, x, w, dy, window)
        return [shaped(of_input, x.shape), shaped(of_weights, w.shape), db][: len(node.inputs)]
    dx = dw = None
    if op.needs(0):
        how = _flipped_convolution if _FLIPPED in way else _transposed_convolution
        dx = shaped(how(op, dy, w, window, group, x), x.shape)
    if op.needs(1):
        chunks = _CHUNKS in way
        dw = shaped(weight_gradient(op, x, dy, window, group, chunks=chunks), w.shape)
    return [dx, dw, db][: len(node.inputs)]


def _ways(op: RuleEmitter, x: ir.Value, dy: ir.Value, window: Window, group: int) -> list[str]:
    """Names of the ways to compute the gradients of input and weights, the best by rule first."""
    of_input, of_weights = [""], [""]
    if op.needs(0) and _may_flip(window):
        flipped = op.device == "cpu" and _prefers_flipped(window, group, static_shape(x)[1])
        of_input = [_FLIPPED, _TRANSPOSED] if flipped else [_TRANSPOSED, _FLIPPED]
    if op.needs(1) and may_chunk(op, x, dy, window, group):
        of_weights = [_CHUNKS, _WHOLE]
    ways = [" ".join(filter(None, parts)) for parts in product(of_input, of_weights)]
    if op.needs(0) and op.needs(1) and shares_windows(op, x, dy, window, group):
        ways.insert(0, _SHARED)
    return ways


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
            ends = static_sizes(node, x, window.axes)
            dx = op.Slice(dx, [0] * len(ends), ends, window.axes)
        dx = shaped(dx, x.shape)
    if op.needs(1):
        dw = shaped(weight_gradient(op, dy, x, window, group), w.shape)
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
    return tuple(static_sizes(node, w, list(range(2, rank(w)))))


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
        static_sizes(node, small, window.axes)
        rest = window.rest or ()
    total = [max(e - r, 0) for e, r in zip(extra, rest, strict=True)]
    half = tuple(t // 2 for t in total)
    other = tuple(t - h for t, h in zip(total, half, strict=True))
    before, after = (half, other) if auto == "SAME_UPPER" else (other, half)
    return replace(window, before=before, after=after)


def _may_flip(window: Window) -> bool:
    """Whether the gradient of the input is a convolution with flipped weights."""
    reach = zip(window.extent, window.before, window.after, strict=True)
    return set(window.strides) == {1} and all(e - 1 >= max(b, a) for e, b, a in reach)


def _prefers_flipped(window: Window, group: int, channels: Dim) -> bool:
    """Whether a convolution with flipped weights is faster than ConvTranspose (measured)."""
    if not _may_flip(window):
        return False
    if max(window.kernel) == 1 or max(window.dilations) > 1 or group > 1:
        return True
    few = isinstance(channels, int) and channels <= FEW_CHANNELS
    return not few and max(window.kernel) < _WIDE and any(window.before + window.after)


def _flipped_convolution(
    op: RuleEmitter, dy: ir.Value, w: ir.Value, window: Window, group: int, x: ir.Value
) -> ir.Value:
    """Slide the mirrored window over the gradient."""
    outer, inner = static_shape(w)[:2]
    flipped = w
    axes = [axis for axis, k in zip(window.axes, window.kernel, strict=True) if k > 1]
    if axes:
        steps = [-1] * len(axes)
        flipped = op.Slice(w, steps, [-(2**62)] * len(axes), axes, steps)
    if group == 1:
        flipped = op.Transpose(flipped, perm=[1, 0, *window.axes])
    elif isinstance(outer, int) and isinstance(inner, int) and (outer, inner) != (group, 1):
        split = op.Reshape(flipped, [group, outer // group, inner, *window.kernel])
        swapped = op.Transpose(split, perm=[0, 2, 1, *(axis + 1 for axis in window.axes)])
        flipped = op.Reshape(swapped, [group * inner, outer // group, *window.kernel])
    pads = [e - 1 - p for e, p in zip(window.extent * 2, window.before + window.after, strict=True)]
    return op.Conv(
        dy, flipped, kernel_shape=window.kernel, dilations=window.dilations, pads=pads, group=group
    )


def _transposed_convolution(
    op: RuleEmitter, dy: ir.Value, w: ir.Value, window: Window, group: int, x: ir.Value
) -> ir.Value:
    """ConvTranspose; what lies behind the last window had no influence and gets zeros."""
    rest = window.rest
    # Of unknown sizes the most that can lie behind the last window, and the padding, are cut off.
    most, zeros = tuple(s - 1 for s in window.strides), (0,) * len(window.kernel)
    made = op.ConvTranspose(
        dy,
        w,
        kernel_shape=window.kernel,
        strides=window.strides,
        dilations=window.dilations,
        pads=window.before + (zeros if rest is None else window.after),
        output_padding=most if rest is None else rest,
        group=group,
    )
    return made if rest is not None else op.Slice(made, zeros, op.Shape(x, start=2), window.axes)


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
