"""The weight gradient of a convolution: a matrix product over batch and space.

dW[m, c, i] = sum over n, p of dy[n, m, p] x[n, c, stride p + dilation i - padding]. Laying the
windows of x side by side (im2col) makes it one product; how to lay them decides the speed. The
forms and thresholds here were measured on ONNX Runtime's CPU provider. Where the size of the batch
is known, it is worked off in chunks whose windows stay in the cache.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.broadcast import sum_over
from seqonnx.autodiff.idioms.scan_body import ScanBody
from seqonnx.autodiff.idioms.sizes import zero_pad
from seqonnx.autodiff.idioms.window import Window
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import numpy_dtype

FEW_CHANNELS = 8
"""Up to this many channels a gather of rows beats a gather of pixels, and for the gradient of the
input ConvTranspose beats a convolution, which would have as few filters."""

_NARROW = 12
"""Below this width of its output a depthwise convolution is worked off place by place. At 6 that is
faster, at 16 slower (measured); nothing between was."""

_PLACES = 256
"""A depthwise convolution is worked off map by map where there are at most this many pairs of a
place of the input and one of the output for each image (measured: at 160 it wins, at 600 not)."""

_CHUNK = 2**20
"""Elements of the windows laid side by side that are made at once, so that they stay in the cache.
A Scan over chunks takes 0.8 of the time of all at once (measured); it cannot be in a CUDA graph."""


def weight_gradient(
    op: RuleEmitter,
    x: ir.Value,
    dy: ir.Value,
    window: Window,
    group: int,
    *,
    chunks: bool = True,
) -> ir.Value:
    """Emit the gradient of the weights of a convolution.

    Args:
        op: the rule's emitter.
        x: input of the convolution, (batch, channels, spatial axes).
        dy: gradient of its output, (batch, filters, spatial axes).
        window: the geometry.
        group: number of groups.
        chunks: whether to work the batch off in chunks, where that can be done.

    Returns:
        The gradient, (filters, channels / group, kernel axes).
    """
    channels, filters = _channels(x), _channels(dy)
    if min(channels, filters) < 1 or window.large_sizes is None or window.small_sizes is None:
        return _by_convolution(op, x, dy, window, group)
    pointwise = max(window.kernel) == 1 and not any(window.before + window.after)
    if group == 1 and pointwise:
        return _by_images(op, x, dy, window)
    if group == channels == filters and _has_small_maps(dy, window):
        return _by_maps(op, x, dy, window)
    if group == channels == filters and len(window.kernel) > 2:
        return _channel_by_channel(op, x, dy, window)
    if len(window.kernel) == 1:
        lifted = weight_gradient(op, _unsqueeze(op, x), _unsqueeze(op, dy), window.lift(), group)
        return op.Squeeze(lifted, [2])
    if group == channels == filters:
        narrow = window.small_sizes[1] < _NARROW
        return (_channel_by_channel if narrow else _depthwise)(op, x, dy, window)
    if _gathers_pixels(channels, window, group):
        return _by_pixels(op, x, dy, window, chunks)
    if len(window.kernel) == 2:
        return _by_rows(op, x, dy, window, group)
    return _by_convolution(op, x, dy, window, group)


def may_chunk(op: RuleEmitter, x: ir.Value, dy: ir.Value, window: Window, group: int) -> bool:
    """Whether the batch can be worked off in chunks."""
    channels, filters = _channels(x), _channels(dy)
    if min(channels, filters) < 1 or window.large_sizes is None or window.small_sizes is None:
        return False
    if len(window.kernel) == 1 or max(window.kernel) == 1 or group == channels == filters:
        return False
    elements = _count(window) * math.prod(window.kernel) * channels
    return _gathers_pixels(channels, window, group) and chunk_size(op, dy, elements) is not None


def _gathers_pixels(channels: int, window: Window, group: int) -> bool:
    """Whether windows are gathered pixel by pixel, with all channels together."""
    return group == 1 and (channels > FEW_CHANNELS or len(window.kernel) > 2)


def _channels(value: ir.Value) -> int:
    """The number of channels, 0 where it is not known."""
    channels = static_shape(value)[1]
    return channels if isinstance(channels, int) else 0


def _unsqueeze(op: RuleEmitter, value: ir.Value) -> ir.Value:
    return op.Unsqueeze(value, [2])


def _count(window: Window) -> int:
    return math.prod(window.small_sizes or ())


def _padded(op: RuleEmitter, value: ir.Value, window: Window, axes: list[int]) -> ir.Value:
    """Apply the window's padding; `axes` are the spatial axes of `value`."""
    if not any(window.before + window.after):
        return value
    return zero_pad(op, value, window.before, window.after, axes)


def _by_images(op: RuleEmitter, x: ir.Value, dy: ir.Value, window: Window) -> ir.Value:
    """Kernel of size 1: one product for each image, then a sum over the batch.

    Where an image is smaller than the kernel, the products would be larger than the images: then
    these are laid side by side for one product (0.35 to 0.9 of the time, measured).
    """
    channels, filters = _channels(x), _channels(dy)
    if set(window.strides) != {1}:
        ends = [
            (n - 1) * s + 1 for n, s in zip(window.small_sizes or (), window.strides, strict=True)
        ]
        x = op.Slice(x, [0] * len(ends), ends, window.axes, list(window.strides))
    if _count(window) * (channels + filters) <= channels * filters:
        swap = [1, 0, *window.axes]
        factors = (
            op.Reshape(op.Transpose(v, perm=swap), [size, -1])
            for v, size in ((dy, filters), (x, channels))
        )
        total = op.Gemm(*factors, transB=1)
    else:
        pixels = op.Transpose(op.Reshape(x, [-1, channels, _count(window)]), perm=[0, 2, 1])
        per_image = op.MatMul(op.Reshape(dy, [-1, filters, _count(window)]), pixels)
        total = sum_over(op.emitter, per_image, [0], keepdims=False)
    return op.Reshape(total, [filters, channels, *window.kernel])


def _by_pixels(
    op: RuleEmitter, x: ir.Value, dy: ir.Value, window: Window, chunks: bool
) -> ir.Value:
    """Many channels: gather whole pixels (all channels together) and multiply once."""
    channels, filters = _channels(x), _channels(dy)
    columns = math.prod(window.kernel) * channels
    batch, images = static_shape(dy)[0], chunk_size(op, dy, _count(window) * columns)
    if images is None or not chunks:
        total = op.Gemm(*_pixel_factors(op, x, dy, window))
    else:
        turns = batch // images if isinstance(batch, int) else -1
        scan = ScanBody(op, "chunks")
        start = scan.state(op.constant(np.zeros((filters, columns), numpy_dtype(dy))))
        parts = [
            scan.element(op.Reshape(value, [turns, images, *static_shape(value)[1:]]))
            for value in (x, dy)
        ]
        inner = RuleEmitter(scan.body, [], op.device)
        rows, windows = _pixel_factors(inner, parts[0], parts[1], window)
        [total], _ = scan.run([inner.Gemm(rows, windows, start)], [])
    axes = window.axes
    product = op.Reshape(total, [filters, *window.kernel, channels])
    return op.Transpose(product, perm=[0, len(axes) + 1, *(axis - 1 for axis in axes)])


def chunk_size(op: RuleEmitter, value: ir.Value, elements: int) -> int | None:
    """Return how many images to work off at once; None for all of them.

    Args:
        op: the rule's emitter.
        value: a tensor whose first axis is the batch.
        elements: size of what is made for each image.
    """
    batch = static_shape(value)[0]
    if op.device != "cpu" or not isinstance(batch, int) or batch * elements <= _CHUNK:
        return None
    images = 1
    while batch % (2 * images) == 0 and 2 * images * elements <= _CHUNK:
        images *= 2
    return images if images < batch else None


def _pixel_factors(
    op: RuleEmitter, x: ir.Value, dy: ir.Value, window: Window
) -> tuple[ir.Value, ir.Value]:
    """The gradients with a row for each filter, and the windows with a row for each place."""
    channels, filters = _channels(x), _channels(dy)
    axes = window.axes
    last = op.Transpose(x, perm=[0, *axes, 1])
    padded = _padded(op, last, window, [axis - 1 for axis in axes])
    sizes = _padded_sizes(window)
    pixels = op.Reshape(padded, [-1, math.prod(sizes), channels])
    taken = op.Gather(pixels, _pixel_indices(window, sizes), axis=1)
    columns = op.Reshape(taken, [-1, math.prod(window.kernel) * channels])
    rows = op.Reshape(op.Transpose(dy, perm=[1, 0, *axes]), [filters, -1])
    return rows, columns


def _padded_sizes(window: Window) -> list[int]:
    """Sizes of the padded input."""
    large = window.large_sizes or ()
    return [sum(sizes) for sizes in zip(large, window.before, window.after, strict=True)]


def _pixel_indices(window: Window, sizes: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """For every window and every element of it, its place among the flattened pixels."""
    count = len(sizes)
    place = np.zeros((1,) * (2 * count), np.int64)
    for axis, size in enumerate(sizes):
        taps = window.taps(axis)
        shape = [1] * (2 * count)
        shape[axis], shape[count + axis] = taps.shape
        place = place * size + taps.reshape(shape)
    return place.reshape(-1).astype(np.int32)


def _by_rows(op: RuleEmitter, x: ir.Value, dy: ir.Value, window: Window, group: int) -> ir.Value:
    """Few channels, or groups: shift along the width, gather rows, one product for each image."""
    channels, filters = _channels(x), _channels(dy)
    inner, outer = channels // group, filters // group
    if group > 1:
        x = op.Reshape(x, [-1, inner, *(window.large_sizes or ())])
    padded = _padded(op, x, window, [2, 3])
    columns, rows = window.taps(1), window.taps(0)
    shifted = [
        op.Slice(padded, [int(c[0])], [int(c[-1]) + 1], [3], [window.strides[1]]) for c in columns.T
    ]
    wide = shifted[0] if len(shifted) == 1 else op.Concat(*shifted, axis=1)
    taken = op.Gather(wide, rows.T.reshape(-1).astype(np.int32), axis=2)
    height, width = window.kernel
    windows = op.Reshape(taken, [-1, width * inner * height, _count(window)])
    pixels = op.Transpose(op.Reshape(dy, [-1, outer, _count(window)]), perm=[0, 2, 1])
    product = op.MatMul(windows, pixels)
    if group > 1:
        product = op.Reshape(product, [-1, group, width * inner * height, outer])
    total = sum_over(op.emitter, product, [0], keepdims=False)
    split = op.Reshape(total, [group, width, inner, height, outer])
    return op.Reshape(op.Transpose(split, perm=[0, 4, 2, 3, 1]), [filters, inner, height, width])


def _depthwise(op: RuleEmitter, x: ir.Value, dy: ir.Value, window: Window) -> ir.Value:
    """Depthwise: for each channel and row of the kernel a product over all rows of all images.

    With the rows of x and of dy as those of two matrices, the product holds every pair of columns;
    the sums along its diagonals are the gradient. That is a third of the width times as much
    arithmetic as needed, and still 1.3 to 2.4 times as fast as a product for each place in the
    kernel, which reads everything once for each (measured on widths from 16 to 74).
    """
    channels, filters = _channels(x), _channels(dy)
    rows, columns = window.taps(0), window.taps(1)
    padded = _padded(op, op.Transpose(x, perm=[1, 0, 2, 3]), window, [2, 3])
    height, width = window.kernel
    across = _padded_sizes(window)[1]
    taken = op.Gather(padded, rows.reshape(-1).astype(np.int32), axis=2)
    lines = op.Reshape(taken, [channels, -1, height * across])
    small = len(columns)
    gradients = op.Reshape(op.Transpose(dy, perm=[1, 0, 2, 3]), [filters, -1, small])
    pairs = op.MatMul(op.Transpose(gradients, perm=[0, 2, 1]), lines)
    diagonals = np.zeros((small, height, across, height, width), numpy_dtype(dy))
    for i in range(height):
        for j in range(width):
            diagonals[np.arange(small), i, columns[:, j], i, j] = 1
    flat = op.Reshape(pairs, [filters, small * height * across])
    sums = op.MatMul(flat, diagonals.reshape(small * height * across, height * width))
    return op.Reshape(sums, [filters, 1, height, width])


def _has_small_maps(dy: ir.Value, window: Window) -> bool:
    """Whether the places of input and output are few beside the images."""
    batch = static_shape(dy)[0]
    pairs = math.prod((window.large_sizes or ()) + (window.small_sizes or ()))
    return isinstance(batch, int) and pairs <= _PLACES * batch


def _by_maps(op: RuleEmitter, x: ir.Value, dy: ir.Value, window: Window) -> ir.Value:
    """Depthwise, small maps: for each channel a product over all images.

    It holds every pair of places; a second product sums those that the same element of the kernel
    joins. The first Transpose of each factor is also that of `passes.small_maps`.
    """
    channels, large, small = _channels(x), window.large_sizes or (), window.small_sizes or ()
    swap = [1, 0, *window.axes]
    maps = op.Reshape(op.Transpose(x, perm=swap), [channels, -1, math.prod(large)])
    gradients = op.Reshape(op.Transpose(dy, perm=swap), [channels, -1, math.prod(small)])
    pairs = op.MatMul(op.Transpose(maps, perm=[0, 2, 1]), gradients)
    joined = np.ones((1, 1, 1))
    for axis, size in enumerate(large):
        places = window.taps(axis) - window.before[axis]
        along = places[None] == np.arange(size)[:, None, None]
        joined = np.kron(joined, along)
    table = joined.reshape(-1, math.prod(window.kernel)).astype(numpy_dtype(dy))
    sums = op.MatMul(op.Reshape(pairs, [channels, len(table)]), table)
    return op.Reshape(sums, [channels, 1, *window.kernel])


def _channel_by_channel(op: RuleEmitter, x: ir.Value, dy: ir.Value, window: Window) -> ir.Value:
    """Depthwise: with the channels last, an element-wise product for each place in the kernel."""
    channels, axes = _channels(x), [axis - 1 for axis in window.axes]
    padded = _padded(op, op.Transpose(x, perm=[0, *window.axes, 1]), window, axes)
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


def _by_convolution(
    op: RuleEmitter, x: ir.Value, dy: ir.Value, window: Window, group: int
) -> ir.Value:
    """The gradient slides over the input as a window: slow, but needs to know no size."""
    axes = window.axes
    if group > 1:
        shape = op.Concat([0, group, -1], op.Shape(x, start=2), axis=0)
        swapped = op.Transpose(op.Reshape(x, shape), perm=[2, 1, 0, *(axis + 1 for axis in axes)])
        inner = op.Concat(op.Shape(swapped, end=1), [-1], op.Shape(x, start=2), axis=0)
        images = op.Reshape(swapped, inner)
    else:
        images = op.Transpose(x, perm=[1, 0, *axes])
    filters = op.Transpose(dy, perm=[1, 0, *axes])
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
