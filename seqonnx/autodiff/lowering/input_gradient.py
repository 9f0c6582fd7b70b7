"""Forms of the gradient of a convolution's input: the transposed convolution of dy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.picked import picked
from seqonnx.autodiff.idioms.sizes import shaped, zero_pad
from seqonnx.autodiff.idioms.window import Window, enlarge
from seqonnx.autodiff.lowering.convolution import FEW_CHANNELS, DifferentiatedConvolution
from seqonnx.autodiff.rule_emitter import OF_FIRST, Form, RuleEmitter, nowhere
from seqonnx.graph import static_shape
from seqonnx.graph.reading import numpy_dtype

_WIDE = 5
"""From this kernel size on ConvTranspose is faster than a convolution with flipped weights."""


def _may_flip(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether the gradient is a convolution: stride 1, padding smaller than the kernel."""
    window = it.window
    reach = zip(window.extent, window.before, window.after, strict=True)
    return set(window.strides) == {1} and all(e - 1 >= max(b, a) for e, b, a in reach)


def _prefers_flipped(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether a convolution with flipped weights is faster than ConvTranspose (measured)."""
    window = it.window
    if op.device != "cpu":
        return False
    if max(window.kernel) == 1 or max(window.dilations) > 1 or it.group > 1:
        return True
    few = 0 < it.channels <= FEW_CHANNELS
    return not few and max(window.kernel) < _WIDE and any(window.before + window.after)


def _flipped_convolution(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """Slide the mirrored window over the gradient."""
    window, group = it.window, it.group
    outer, inner = static_shape(it.w)[:2]
    flipped = it.w
    axes = [axis for axis, k in zip(window.axes, window.kernel, strict=True) if k > 1]
    if axes:
        steps = [-1] * len(axes)
        flipped = op.Slice(it.w, steps, [-(2**62)] * len(axes), axes, steps)
    if group == 1:
        flipped = op.Transpose(flipped, perm=[1, 0, *window.axes])
    elif isinstance(outer, int) and isinstance(inner, int) and (outer, inner) != (group, 1):
        split = op.Reshape(flipped, [group, outer // group, inner, *window.kernel])
        swapped = op.Transpose(split, perm=[0, 2, 1, *(axis + 1 for axis in window.axes)])
        flipped = op.Reshape(swapped, [group * inner, outer // group, *window.kernel])
    pads = [e - 1 - p for e, p in zip(window.extent * 2, window.before + window.after, strict=True)]
    return op.Conv(
        it.dy,
        flipped,
        kernel_shape=window.kernel,
        dilations=window.dilations,
        pads=pads,
        group=group,
    )


def _transposed_convolution(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """ConvTranspose; what lies behind the last window had no influence and gets zeros."""
    window, rest = it.window, it.window.rest
    # Of unknown sizes the most that can lie behind the last window, and the padding, are cut off.
    most, zeros = tuple(s - 1 for s in window.strides), (0,) * len(window.kernel)
    made = op.ConvTranspose(
        it.dy,
        it.w,
        kernel_shape=window.kernel,
        strides=window.strides,
        dilations=window.dilations,
        pads=window.before + (zeros if rest is None else window.after),
        output_padding=most if rest is None else rest,
        group=it.group,
    )
    return made if rest is not None else op.Slice(made, zeros, op.Shape(it.x, start=2), window.axes)


def _may_spread(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether pixels, or windows of one channel, of a plane of known size are some steps apart."""
    window = it.window
    known = None not in (window.large_sizes, window.small_sizes) and it.channels > 0
    if not known or len(window.kernel) != 2 or set(window.strides) == {1}:
        return False
    if window.kernel == (1, 1):
        return it.group == 1 and not any(window.before + window.after)
    depthwise = it.group == it.channels == static_shape(it.w)[0] and set(window.dilations) == {1}
    return depthwise and min(_pads_of_flipped(window)) >= 0


def _pads_of_flipped(window: Window) -> list[int]:
    """The padding with which the mirrored window gives the input from what has zeros between."""
    before = [k - 1 - b for k, b in zip(window.kernel, window.before, strict=True)]
    spread = zip(window.small_sizes or (), window.strides, window.kernel, before, strict=True)
    made = [n * s + b - (k - 1) for n, s, k, b in spread]
    return before + [size - m for size, m in zip(window.large_sizes or (), made, strict=True)]


def _zeros_between(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """Spread the pixels of the gradient with zeros between them, as ConvTranspose does.

    ONNX Runtime's blocked layout repeats pixels; those that were not asked for become zeros.
    """
    window = it.window
    if window.kernel != (1, 1):
        sizes = [n * s for n, s in zip(window.small_sizes or (), window.strides, strict=True)]
        spread = _spread(op, it.dy, window.strides, sizes)
        flipped = op.Slice(it.w, [-1, -1], [-(2**62)] * 2, window.axes, [-1, -1])
        pads, kernel = _pads_of_flipped(window), window.kernel
        return op.Conv(spread, flipped, kernel_shape=kernel, pads=pads, group=it.group)
    small = op.Conv(it.dy, op.Transpose(it.w, perm=[1, 0, 2, 3]), kernel_shape=window.kernel)
    return _spread(op, small, window.strides, window.large_sizes or ())


def _spread(
    op: RuleEmitter, small: ir.Value, strides: Sequence[int], sizes: Sequence[int]
) -> ir.Value:
    """The pixels of a map some steps apart in one of other sizes, zeros elsewhere."""
    batch, channels, *space = static_shape(small)
    many = [int(n or 0) * s for n, s in zip(space, strides, strict=True)]
    zeros = (0,) * len(strides)
    steps = tuple(strides)
    large = enlarge(
        op, small, Window(steps, steps, (1, 1), zeros, zeros, tuple(many), tuple(space))
    )
    beyond = [most - size for most, size in zip(many, sizes, strict=True)]
    if min(beyond) < 0:
        large = zero_pad(op, large, [0, 0], [max(-rest, 0) for rest in beyond], [2, 3])
    if max(beyond) > 0:
        large = picked(op, large, (0, 0), (1, 1), [1 + max(rest, 0) for rest in beyond])
    asked = np.zeros((1, 1, *sizes), numpy_dtype(small))
    asked[:, :, :: strides[0], :: strides[1]] = 1.0
    return shaped(op.Mul(large, asked), [batch, channels, *sizes])


INPUT_FORMS: tuple[Form[DifferentiatedConvolution, ir.Value], ...] = (
    Form("flipped convolution", _flipped_convolution, _may_flip, _prefers_flipped),
    Form("transposed convolution", _transposed_convolution),
    Form(
        "flipped convolution in blocks", _flipped_convolution, _may_flip, nowhere, blocked=OF_FIRST
    ),
    Form("zeros between", _zeros_between, _may_spread, nowhere, blocked=OF_FIRST),
)
"""They give the gradient of `x`, of its shape."""
