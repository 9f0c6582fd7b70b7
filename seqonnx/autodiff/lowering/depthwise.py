"""Forms of the weight gradient of a depthwise convolution, whose filters see one channel each."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.idioms.window import pad_for
from seqonnx.autodiff.lowering.convolution import DifferentiatedConvolution
from seqonnx.autodiff.rule_emitter import OF_SECOND, Form, RuleEmitter, nowhere
from seqonnx.graph import static_shape
from seqonnx.graph.reading import numpy_dtype

_NARROW = 12
"""Below this width of its output a depthwise convolution is done place by place. At 6 that is
faster, at 16 slower (measured); nothing between was."""

_PLACES = 256
"""A depthwise convolution is done map by map where there are at most this many pairs of a place of
the input and one of the output for each image (measured: at 160 it wins, at 600 not)."""


def has_small_maps(it: DifferentiatedConvolution) -> bool:
    """Whether a convolution is depthwise and the places of its maps are few beside the images."""
    window = it.window
    pairs = math.prod((window.large_sizes or ()) + (window.small_sizes or ()))
    return it.is_depthwise and it.batch is not None and pairs <= _PLACES * it.batch


def _is_small(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    return has_small_maps(it)


def _is_wide(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether a plane that is not small has rows that are worth a product."""
    sizes = it.window.small_sizes or ()
    large = it.is_depthwise and not has_small_maps(it)
    return large and len(sizes) == 2 and sizes[1] >= _NARROW


def _is_narrow(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether maps that are not small are narrow, or have three axes."""
    sizes = it.window.small_sizes or ()
    large = it.is_depthwise and not has_small_maps(it)
    return large and (len(sizes) > 2 or (len(sizes) == 2 and sizes[1] < _NARROW))


def _is_plane(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether a depthwise convolution is one of planes, for a known number of images."""
    return it.is_depthwise and it.batch is not None and len(it.window.kernel) == 2


def _by_maps_of_one_image(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """A depthwise convolution of all maps of all images, with the gradients as kernels.

    Each image then has a gradient of its own; the sum over them comes last.
    """
    window, batch, channels = it.window, it.batch or 0, it.channels
    large, small = window.large_sizes or (), window.small_sizes or ()
    count = batch * channels
    made = op.Conv(
        op.Reshape(it.x, [1, count, *large]),
        op.Reshape(it.dy, [count, 1, *small]),
        group=count,
        kernel_shape=small,
        strides=window.dilations,
        dilations=window.strides,
        pads=window.before + window.after,
    )
    found = static_shape(made)[2:]
    total = op.ReduceSum(op.Reshape(made, [batch, channels, *found]), [0], keepdims=1)
    kernels = op.Reshape(total, [channels, 1, *found])
    if tuple(found) == tuple(window.kernel):
        return kernels
    return op.Slice(kernels, [0, 0], list(window.kernel), [2, 3])


def _by_maps(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """For each channel a product over all images.

    It holds every pair of places; a second product sums those that the same element of the kernel
    joins. The first Transpose of each factor is also that of `lowering.small_maps`.
    """
    window, channels = it.window, it.channels
    large, small = window.large_sizes or (), window.small_sizes or ()
    swap = [1, 0, *window.axes]
    maps = op.Reshape(op.Transpose(it.x, perm=swap), [channels, -1, math.prod(large)])
    gradients = op.Reshape(op.Transpose(it.dy, perm=swap), [channels, -1, math.prod(small)])
    pairs = op.MatMul(op.Transpose(maps, perm=[0, 2, 1]), gradients)
    joined = np.ones((1, 1, 1))
    for axis, size in enumerate(large):
        places = window.taps(axis) - window.before[axis]
        along = places[None] == np.arange(size)[:, None, None]
        joined = np.kron(joined, along)
    table = joined.reshape(-1, math.prod(window.kernel)).astype(numpy_dtype(it.dy))
    sums = op.MatMul(op.Reshape(pairs, [channels, len(table)]), table)
    return op.Reshape(sums, [channels, 1, *window.kernel])


def _by_diagonals(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """For each channel and row of the kernel a product over all rows of all images.

    With the rows of x and of dy as those of two matrices, the product holds every pair of columns;
    the sums along its diagonals are the gradient. That is a third of the width times as much
    arithmetic as needed, and still 1.3 to 2.4 times as fast as a product for each place in the
    kernel, which reads everything once for each (measured on widths from 16 to 74).
    """
    window, channels, filters = it.window, it.channels, it.filters
    rows, columns = window.taps(0), window.taps(1)
    padded = pad_for(op, op.Transpose(it.x, perm=[1, 0, 2, 3]), window, [2, 3])
    height, width = window.kernel
    across = window.padded_sizes[1]
    taken = op.Gather(padded, rows.reshape(-1).astype(np.int32), axis=2)
    lines = op.Reshape(taken, [channels, -1, height * across])
    small = len(columns)
    gradients = op.Reshape(op.Transpose(it.dy, perm=[1, 0, 2, 3]), [filters, -1, small])
    pairs = op.MatMul(op.Transpose(gradients, perm=[0, 2, 1]), lines)
    diagonals = np.zeros((small, height, across, height, width), numpy_dtype(it.dy))
    for i in range(height):
        for j in range(width):
            diagonals[np.arange(small), i, columns[:, j], i, j] = 1
    flat = op.Reshape(pairs, [filters, small * height * across])
    sums = op.MatMul(flat, diagonals.reshape(small * height * across, height * width))
    return op.Reshape(sums, [filters, 1, height, width])


def _by_kernel_places(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """With the channels last, an elementwise product for each place in the kernel."""
    window, channels, dy = it.window, it.channels, it.dy
    axes = [axis - 1 for axis in window.axes]
    padded = pad_for(op, op.Transpose(it.x, perm=[0, *window.axes, 1]), window, axes)
    pixels = op.Transpose(dy, perm=[0, *window.axes, 1])
    count = op.Reshape(op.Div(op.Size(dy), channels), [1])
    one = ir.tensor([1.0], dtype=dy.dtype)
    ones = op.ConstantOfShape(op.Concat([1], count, axis=0), value=one)
    sums = []
    for place in np.ndindex(*window.kernel):
        taps = [window.taps(axis)[:, i] for axis, i in enumerate(place)]
        starts, ends = [int(t[0]) for t in taps], [int(t[-1]) + 1 for t in taps]
        part = op.Slice(padded, starts, ends, axes, list(window.strides))
        sums.append(op.MatMul(ones, op.Reshape(op.Mul(part, pixels), [-1, channels])))
    rows = sums[0] if len(sums) == 1 else op.Concat(*sums, axis=0)
    return op.Reshape(op.Transpose(rows, perm=[1, 0]), [channels, 1, *window.kernel])


DEPTHWISE_FORMS: tuple[Form[DifferentiatedConvolution, ir.Value], ...] = (
    Form("pairs of places, map by map", _by_maps, _is_small),
    Form("diagonals of products of rows", _by_diagonals, _is_wide),
    Form("places of the kernel in turn", _by_kernel_places, _is_narrow),
    Form("maps as one image", _by_maps_of_one_image, _is_plane, nowhere, blocked=OF_SECOND),
)
"""The forms for convolutions of one axis only if their maps are small: else they become planes."""
