"""Forms of the gradient of a convolution's input: the transposed convolution of dy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.picked import picked
from seqonnx.autodiff.idioms.sizes import zero_pad
from seqonnx.autodiff.idioms.window import enlarge
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
    """Whether single pixels of a plane of known size are convolved, with some between them left."""
    window = it.window
    known = None not in (window.large_sizes, window.small_sizes) and it.channels > 0
    points = window.kernel == (1, 1) and not any(window.before + window.after)
    return known and points and it.group == 1 and set(window.strides) != {1}


def _zeros_between(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """Multiply the gradient by the weights, then spread its pixels with zeros between them.

    ONNX Runtime's blocked layout repeats pixels; those that were not asked for become zeros.
    """
    window = it.window
    sizes, strides = window.large_sizes or (), window.strides
    small = op.Conv(it.dy, op.Transpose(it.w, perm=[1, 0, 2, 3]), kernel_shape=window.kernel)
    many = [n * s for n, s in zip(window.small_sizes or (), strides, strict=True)]
    large = enlarge(op, small, replace(window, kernel=strides, large=tuple(many)))
    beyond = [most - size for most, size in zip(many, sizes, strict=True)]
    if min(beyond) < 0:
        large = zero_pad(op, large, [0, 0], [max(-rest, 0) for rest in beyond], window.axes)
    if max(beyond) > 0:
        large = picked(op, large, (0, 0), (1, 1), [1 + max(rest, 0) for rest in beyond])
    asked = np.zeros((1, it.channels, *sizes), numpy_dtype(it.dy))
    asked[:, :, :: strides[0], :: strides[1]] = 1.0
    return op.Mul(large, asked)


INPUT_FORMS: tuple[Form[DifferentiatedConvolution, ir.Value], ...] = (
    Form("flipped convolution", _flipped_convolution, _may_flip, _prefers_flipped),
    Form("transposed convolution", _transposed_convolution),
    Form(
        "flipped convolution in blocks", _flipped_convolution, _may_flip, nowhere, blocked=OF_FIRST
    ),
    Form("zeros between", _zeros_between, _may_spread, nowhere, blocked=OF_FIRST),
)
"""They give the gradient of `x`, of its shape."""
