"""Forms of the gradient of a convolution's weights: a matrix product over batch and space.

dW[m, c, i] = sum over n, p of dy[n, m, p] x[n, c, stride p + dilation i - padding]. Laying the
windows of x side by side (im2col) makes it one product; how to lay them decides the speed. The
forms and thresholds here were measured on ONNX Runtime's CPU provider. Where the size of the batch
is known, it is done in chunks whose windows stay in the cache.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.broadcast import sum_over
from seqonnx.autodiff.idioms.window import Window, pad_for
from seqonnx.autodiff.lowering.chunks import chunk_size
from seqonnx.autodiff.lowering.convolution import FEW_CHANNELS, DifferentiatedConvolution
from seqonnx.autodiff.lowering.depthwise import DEPTHWISE_FORMS, has_small_maps
from seqonnx.autodiff.lowering.offers import offered
from seqonnx.autodiff.rule_emitter import OF_SECOND, Form, RuleEmitter, nowhere
from seqonnx.graph import static_shape
from seqonnx.graph.reading import numpy_dtype
from seqonnx.graph.scan_body import ScanBody


def _has_large_images(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether each output sees one pixel, and an image is larger than the kernel."""
    return it.is_pointwise and not _has_small_images(op, it)


def _has_small_images(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether each output sees one pixel, and a product for each image would be larger than it."""
    channels, filters = it.channels, it.filters
    return it.is_pointwise and it.places * (channels + filters) <= channels * filters


def _is_line(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether there is one axis, for which no form above is."""
    plain = it.is_known and not it.is_pointwise and not has_small_maps(it)
    return plain and len(it.window.kernel) == 1


def _gathers_pixels(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether windows are gathered pixel by pixel, with all channels together."""
    dense = it.is_known and it.group == 1 and not it.is_pointwise and not it.is_depthwise
    axes = len(it.window.kernel)
    return dense and (axes > 2 or (axes == 2 and it.channels > FEW_CHANNELS))


def _has_chunks(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether the batch is to be cut where windows are gathered pixel by pixel."""
    return _gathers_pixels(op, it) and _images(op, it) is not None


def _gathers_rows(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether a plane has few channels, or groups."""
    plain = it.is_known and not it.is_pointwise and not it.is_depthwise
    return plain and len(it.window.kernel) == 2 and not _gathers_pixels(op, it)


def _fits_nothing_else(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether sizes are unknown, or a map of three axes has groups of several channels."""
    grouped = it.group > 1 and not it.is_depthwise
    return not it.is_known or (grouped and len(it.window.kernel) > 2)


def _is_dense_plane(op: RuleEmitter, it: DifferentiatedConvolution) -> bool:
    """Whether all channels of a plane meet in windows of more than a pixel, of known batch."""
    plane = it.is_known and it.batch is not None and len(it.window.kernel) == 2
    return plane and it.group == 1 and not it.is_pointwise


def _by_images(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """One product for each image, then a sum over the batch."""
    x = _seen(op, it)
    pixels = op.Transpose(op.Reshape(x, [-1, it.channels, it.places]), perm=[0, 2, 1])
    per_image = op.MatMul(op.Reshape(it.dy, [-1, it.filters, it.places]), pixels)
    total = sum_over(op.emitter, per_image, [0], keepdims=False)
    return op.Reshape(total, [it.filters, it.channels, *it.window.kernel])


def _by_batch(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """The pixels of all images side by side: 0.35 to 0.9 of the time of `_by_images` (measured)."""
    x, swap = _seen(op, it), [1, 0, *it.window.axes]
    factors = (
        op.Reshape(op.Transpose(v, perm=swap), [size, -1])
        for v, size in ((it.dy, it.filters), (x, it.channels))
    )
    total = op.Gemm(*factors, transB=1)
    return op.Reshape(total, [it.filters, it.channels, *it.window.kernel])


def _seen(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """The pixels that a window of one pixel sees."""
    window = it.window
    if set(window.strides) == {1}:
        return it.x
    ends = [(n - 1) * s + 1 for n, s in zip(window.small_sizes or (), window.strides, strict=True)]
    return op.Slice(it.x, [0] * len(ends), ends, window.axes, list(window.strides))


def _as_plane(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """The form of a plane of height 1."""
    x, dy = (op.Unsqueeze(value, [2]) for value in (it.x, it.dy))
    plane = replace(it, x=x, dy=dy, window=it.window.lift())
    return op.Squeeze(offered(op, WEIGHT_FORMS, plane)[0].emit(op, plane), [2])


def _by_pixels(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """Gather whole pixels (all channels together) and multiply once."""
    total = op.Gemm(*_pixel_factors(op, it.x, it.dy, it))
    return _with_channels_first(op, total, it)


def _by_pixels_in_chunks(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """The same for a few images at a time."""
    images = _images(op, it) or 1
    scan = ScanBody(op.emitter, "chunks")
    columns = math.prod(it.window.kernel) * it.channels
    start = scan.state(op.constant(np.zeros((it.filters, columns), numpy_dtype(it.dy))))
    turns = (it.batch or 0) // images
    x, dy = (
        scan.element(op.Reshape(value, [turns, images, *static_shape(value)[1:]]))
        for value in (it.x, it.dy)
    )
    inner = RuleEmitter(scan.body, [], op.device)
    rows, windows = _pixel_factors(inner, x, dy, it)
    [total], _ = scan.run([inner.Gemm(rows, windows, start)], [])
    return _with_channels_first(op, total, it)


def _images(op: RuleEmitter, it: DifferentiatedConvolution) -> int | None:
    """How many images to gather at once; None for all of them."""
    return chunk_size(op, it.dy, it.places * math.prod(it.window.kernel) * it.channels)


def _with_channels_first(
    op: RuleEmitter, total: ir.Value, it: DifferentiatedConvolution
) -> ir.Value:
    """From (filters, kernel axes, channels) to the order of the weights."""
    axes = it.window.axes
    product = op.Reshape(total, [it.filters, *it.window.kernel, it.channels])
    return op.Transpose(product, perm=[0, len(axes) + 1, *(axis - 1 for axis in axes)])


def _pixel_factors(
    op: RuleEmitter, x: ir.Value, dy: ir.Value, it: DifferentiatedConvolution
) -> tuple[ir.Value, ir.Value]:
    """The gradients with a row for each filter, and the windows with a row for each place."""
    window, channels, axes = it.window, it.channels, it.window.axes
    last = op.Transpose(x, perm=[0, *axes, 1])
    padded = pad_for(op, last, window, [axis - 1 for axis in axes])
    pixels = op.Reshape(padded, [-1, math.prod(window.padded_sizes), channels])
    taken = op.Gather(pixels, _pixel_indices(window), axis=1)
    columns = op.Reshape(taken, [-1, math.prod(window.kernel) * channels])
    rows = op.Reshape(op.Transpose(dy, perm=[1, 0, *axes]), [it.filters, -1])
    return rows, columns


def _pixel_indices(window: Window) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """For every window and every element of it, its place among the flattened pixels."""
    sizes = window.padded_sizes
    count = len(sizes)
    place = np.zeros((1,) * (2 * count), np.int64)
    for axis, size in enumerate(sizes):
        taps = window.taps(axis)
        shape = [1] * (2 * count)
        shape[axis], shape[count + axis] = taps.shape
        place = place * size + taps.reshape(shape)
    return place.reshape(-1).astype(np.int32)


def _by_rows(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """Shift along the width, gather rows, one product for each image."""
    x, window, group = it.x, it.window, it.group
    inner, outer = it.channels // group, it.filters // group
    if group > 1:
        x = op.Reshape(x, [-1, inner, *(window.large_sizes or ())])
    padded = pad_for(op, x, window, [2, 3])
    columns, rows = window.taps(1), window.taps(0)
    shifted = [
        op.Slice(padded, [int(c[0])], [int(c[-1]) + 1], [3], [window.strides[1]]) for c in columns.T
    ]
    wide = shifted[0] if len(shifted) == 1 else op.Concat(*shifted, axis=1)
    taken = op.Gather(wide, rows.T.reshape(-1).astype(np.int32), axis=2)
    height, width = window.kernel
    windows = op.Reshape(taken, [-1, width * inner * height, it.places])
    pixels = op.Transpose(op.Reshape(it.dy, [-1, outer, it.places]), perm=[0, 2, 1])
    product = op.MatMul(windows, pixels)
    if group > 1:
        product = op.Reshape(product, [-1, group, width * inner * height, outer])
    total = sum_over(op.emitter, product, [0], keepdims=False)
    split = op.Reshape(total, [group, width, inner, height, outer])
    return op.Reshape(op.Transpose(split, perm=[0, 4, 2, 3, 1]), [it.filters, inner, height, width])


def _by_convolution(op: RuleEmitter, it: DifferentiatedConvolution) -> ir.Value:
    """The gradient slides over the input as a window: slow, but needs to know no size."""
    x, window, group, axes = it.x, it.window, it.group, it.window.axes
    if group > 1:
        shape = op.Concat([0, group, -1], op.Shape(x, start=2), axis=0)
        swapped = op.Transpose(op.Reshape(x, shape), perm=[2, 1, 0, *(axis + 1 for axis in axes)])
        inner = op.Concat(op.Shape(swapped, end=1), [-1], op.Shape(x, start=2), axis=0)
        images = op.Reshape(swapped, inner)
    else:
        images = op.Transpose(x, perm=[1, 0, *axes])
    filters = op.Transpose(it.dy, perm=[1, 0, *axes])
    made = op.Conv(
        images,
        filters,
        strides=window.dilations,
        dilations=window.strides,
        pads=window.before + window.after,
        group=group,
    )
    if any(s > 1 for s in window.strides):
        made = op.Slice(made, [0] * len(axes), list(window.kernel), axes)
    return op.Transpose(made, perm=[1, 0, *axes])


WEIGHT_FORMS: tuple[Form[DifferentiatedConvolution, ir.Value], ...] = (
    Form("a product for each image", _by_images, _has_large_images),
    Form("a product of all pixels", _by_batch, _has_small_images),
    *DEPTHWISE_FORMS,
    Form("as a plane", _as_plane, _is_line),
    Form("in chunks", _by_pixels_in_chunks, _has_chunks),
    Form("at once", _by_pixels, _gathers_pixels),
    Form("rows gathered", _by_rows, _gathers_rows),
    Form("convolution with the gradient", _by_convolution, _fits_nothing_else),
    Form("images as channels", _by_convolution, _is_dense_plane, nowhere, blocked=OF_SECOND),
)
"""They give the gradient of `w`, of its shape. Two apply only where windows are gathered pixel by
pixel; the others stand where they were measured to be the fastest."""
