"""Blocks of images: taken out, put together, moved between space and channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter, dtype_name
from seqonnx.ops.arranging import pad
from seqonnx.ops.channels import (
    FIRST,
    check_data_format,
)
from seqonnx.ops.promotion import floating, tensor
from seqonnx.ops.sizes import FreeSize, Size, product, reshaped, sizes_of
from seqonnx.ops.window import integers
from seqonnx.tensor_function import tensor_function


@tensor_function()
def depth_to_space(
    op: Emitter, x: Any, block_size: int, data_format: str = "channels_last"
) -> ir.Value:
    """Return images whose channels have become blocks of space.

    Args:
        x: `(batch, height, width, channels)`.
        block_size: height and width of a block.
        data_format: `"channels_last"` or `"channels_first"`.
    """
    x, b = tensor(op, x), block_size
    n, *sizes = sizes_of(x)
    if check_data_format(data_format) == FIRST:
        c, h, w = sizes
        cells = reshaped(op, x, [n, _divided(c, b * b), b, b, h, w])
        moved = op.Transpose(cells, perm=[0, 1, 4, 2, 5, 3])
        return reshaped(op, moved, [n, _divided(c, b * b), _times(op, h, b), _times(op, w, b)])
    h, w, c = sizes
    cells = reshaped(op, x, [n, h, w, b, b, _divided(c, b * b)])
    moved = op.Transpose(cells, perm=[0, 1, 3, 2, 4, 5])
    return reshaped(op, moved, [n, _times(op, h, b), _times(op, w, b), _divided(c, b * b)])


@tensor_function()
def space_to_depth(
    op: Emitter, x: Any, block_size: int, data_format: str = "channels_last"
) -> ir.Value:
    """Return images whose blocks of space have become channels; arguments as `depth_to_space`."""
    x, b = tensor(op, x), block_size
    n, *sizes = sizes_of(x)
    if check_data_format(data_format) == FIRST:
        c, h, w = sizes
        cells = reshaped(op, x, [n, c, _divided(h, b), b, _divided(w, b), b])
        moved = op.Transpose(cells, perm=[0, 1, 3, 5, 2, 4])
        return reshaped(op, moved, [n, _times(op, c, b * b), _divided(h, b), _divided(w, b)])
    h, w, c = sizes
    cells = reshaped(op, x, [n, _divided(h, b), b, _divided(w, b), b, c])
    moved = op.Transpose(cells, perm=[0, 1, 3, 2, 4, 5])
    return reshaped(op, moved, [n, _divided(h, b), _divided(w, b), _times(op, c, b * b)])


@tensor_function()
def unfold(
    op: Emitter,
    x: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> ir.Value:
    """Return the windows of images as columns, `(batch, channels * window, windows)`.

    Args:
        x: images, `(batch, channels, height, width)`.
        kernel_size: height and width of the window.
        dilation: distance of two cells inside the window.
        padding: zeros added on each side.
        stride: steps from one window to the next.
    """
    x = tensor(op, x)
    window, apart, around, steps = _fourfold(kernel_size, dilation, padding, stride)
    x = pad(op, x, [(0, 0), (0, 0), *((n, n) for n in around)])
    n, c, *space = sizes_of(x)
    counts = []
    for i, size in enumerate(space):
        rows = window_rows(_known(size), window[i], apart[i], steps[i])
        counts.append(rows.shape[0])
        x = op.Gather(x, rows, axis=2 + 2 * i)
    moved = op.Transpose(x, perm=[0, 1, 3, 5, 2, 4])
    columns = product(op, [c, *window])
    return reshaped(op, moved, [n, columns, counts[0] * counts[1]])


@tensor_function()
def fold(
    op: Emitter,
    x: Any,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> ir.Value:
    """Return images made of columns of windows, added where they overlap; see `unfold`.

    Args:
        x: columns, `(batch, channels * window, windows)`.
        output_size: height and width of the images.
        kernel_size: see `unfold`.
        dilation: see `unfold`.
        padding: see `unfold`.
        stride: see `unfold`.
    """
    x = floating(op, x)
    window, apart, around, steps = _fourfold(kernel_size, dilation, padding, stride)
    target = integers(output_size, 2, "output_size")
    reach = [(k - 1) * d + 1 for k, d in zip(window, apart, strict=True)]
    counts = [
        (size + 2 * p - r) // s + 1
        for size, p, r, s in zip(target, around, reach, steps, strict=True)
    ]
    n, columns, _ = sizes_of(x)
    cells = window[0] * window[1]
    channels = _known(columns) // cells
    maps = reshaped(op, x, [n, columns, *counts])
    kernel = np.eye(cells, dtype=dtype_name(x)).reshape(cells, 1, *window)
    extra = [
        size + 2 * p - (count - 1) * s - r
        for size, p, count, s, r in zip(target, around, counts, steps, reach, strict=True)
    ]
    return op.ConvTranspose(
        maps,
        np.tile(kernel, (channels, 1, 1, 1)),
        group=channels,
        strides=list(steps),
        dilations=list(apart),
        pads=[*around, *around],
        output_padding=extra,
    )


def window_rows(size: int, window: int, apart: int, step: int) -> npt.NDArray[np.int64]:
    """Return the places of each window along an axis, `(windows, window)`."""
    starts = np.arange(0, size - (window - 1) * apart, step)
    return starts[:, None] + np.arange(window) * apart


def _fourfold(
    kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[tuple[int, ...], ...]:
    return (
        integers(kernel_size, 2, "kernel_size"),
        integers(dilation, 2, "dilation"),
        integers(padding, 2, "padding", at_least=0),
        integers(stride, 2, "stride"),
    )


def _known(size: Size) -> int:
    """A size.

    Raises:
        ValueError: if the graph does not know it.
    """
    if not isinstance(size, int):
        raise ValueError("The height, width and channels of the images must be known.")
    return size


def _divided(size: Size, by: int) -> Size:
    """A size that is so many times smaller; where it is not known, the rest."""
    if isinstance(size, int) and size % by != 0:
        raise ValueError(f"A size of {size} cannot be divided into blocks of {by}.")
    return size // by if isinstance(size, int) else -1


def _times(op: Emitter, size: Size, by: int) -> Size:
    """A size that is so many times larger; where it is not known, the rest."""
    return -1 if isinstance(size, FreeSize) else product(op, [size, by])
