"""Functions of images: colour, size, filters, patches."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx import dtypes
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.ops.aspect import crop_to_aspect, pad_to_aspect
from seqonnx.ops.blocks import window_rows
from seqonnx.ops.channels import FIRST, check_data_format
from seqonnx.ops.color import from_hsv, grayscale, split_channels, to_hsv
from seqonnx.ops.core import saturate_cast
from seqonnx.ops.frames import framed
from seqonnx.ops.interpolation import checked_interpolation
from seqonnx.ops.interpolation import resize as resized
from seqonnx.ops.promotion import floating, floats, tensor
from seqonnx.ops.sizes import product, rank_of, reshaped, sizes_of
from seqonnx.ops.window import check_padding, integers, padding_attributes
from seqonnx.tensor_function import tensor_function

Size = tuple[int, int]


@tensor_function()
def rgb_to_grayscale(op: Emitter, images: Any, data_format: str | None = None) -> ir.Value:
    """Return the luma of images, with one channel.

    Args:
        images: `(batch, height, width, 3)`, or one image.
        data_format: `"channels_last"` (default) or `"channels_first"`.
    """
    x, back = framed(op, images, data_format)
    given = dtype_name(x)
    wide = x if dtypes.is_float(given) else op.cast(x, "float32")
    return op.cast(back(grayscale(op, wide)), given)


@tensor_function()
def rgb_to_hsv(op: Emitter, images: Any, data_format: str | None = None) -> ir.Value:
    """Return hue, saturation and value of images; arguments as those of `rgb_to_grayscale`.

    Raises:
        ValueError: if images do not hold floating-point numbers.
    """
    x, back = framed(op, images, data_format)
    _check_float(x)
    return back(op.Concat(*to_hsv(op, x), axis=1))


@tensor_function()
def hsv_to_rgb(op: Emitter, images: Any, data_format: str | None = None) -> ir.Value:
    """Return images of a hue, saturation and value; the inverse of `rgb_to_hsv`."""
    x, back = framed(op, images, data_format)
    _check_float(x)
    return back(from_hsv(op, *split_channels(op, x)))


@tensor_function()
def resize(
    op: Emitter,
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> ir.Value:
    """Return images in another size.

    Args:
        images: `(batch, height, width, channels)`, or one image.
        size: new height and width.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: whether images that become smaller are blurred first.
        crop_to_aspect_ratio: whether to crop to the new ratio of height and width first.
        pad_to_aspect_ratio: whether to pad to it first.
        fill_mode: what to pad with: `"constant"`.
        fill_value: the constant.
        data_format: `"channels_last"` (default) or `"channels_first"`.

    Raises:
        ValueError: if an argument is not legal.
    """
    height, width = integers(size, 2, "size")
    name = checked_interpolation(interpolation)
    if fill_mode != "constant":
        raise ValueError(
            "Invalid value for argument `fill_mode`. Only `'constant'` is supported. "
            f"Received: fill_mode={fill_mode}"
        )
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ValueError(
            "Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`."
        )
    x, back = framed(op, images, data_format)
    given = dtype_name(x)
    x = x if dtypes.is_float(given) else op.cast(x, "float32")
    target = (height, width)
    if crop_to_aspect_ratio:
        x = crop_to_aspect(op, x, target)
    elif pad_to_aspect_ratio:
        x = pad_to_aspect(op, x, target, float(fill_value))
    made = back(resized(op, x, target, name, antialias=antialias))
    return made if dtypes.is_float(given) else saturate_cast(op, op.Round(made), given)


@tensor_function()
def crop_images(
    op: Emitter,
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> ir.Value:
    """Return a part of images: of each direction, two of the three numbers say which.

    Args:
        images: `(batch, height, width, channels)`, or one image.
        top_cropping: rows that go at the top.
        left_cropping: columns that go at the left.
        bottom_cropping: rows that go at the bottom.
        right_cropping: columns that go at the right.
        target_height: rows that stay.
        target_width: columns that stay.
        data_format: `"channels_last"` (default) or `"channels_first"`.
    """
    x, back = framed(op, images, data_format)
    height, width = static_shape(x)[2:]
    top, bottom = _ends(height, top_cropping, bottom_cropping, target_height, "cropping", -1)
    left, right = _ends(width, left_cropping, right_cropping, target_width, "cropping", -1)
    ends = [-n if n > 0 else np.iinfo(np.int64).max for n in (bottom, right)]
    return back(op.Slice(x, [top, left], ends, [2, 3]))


@tensor_function()
def pad_images(
    op: Emitter,
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> ir.Value:
    """Return images with zeros around: of each direction, two of the three numbers say how many.

    Args:
        images: `(batch, height, width, channels)`, or one image.
        top_padding: rows at the top.
        left_padding: columns at the left.
        bottom_padding: rows at the bottom.
        right_padding: columns at the right.
        target_height: rows of the result.
        target_width: columns of the result.
        data_format: `"channels_last"` (default) or `"channels_first"`.
    """
    x, back = framed(op, images, data_format)
    height, width = static_shape(x)[2:]
    top, bottom = _ends(height, top_padding, bottom_padding, target_height, "padding", 1)
    left, right = _ends(width, left_padding, right_padding, target_width, "padding", 1)
    return back(op.Pad(x, np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)))


def _ends(
    size: Any, before: Any, behind: Any, target: Any, what: str, sign: int
) -> tuple[int, int]:
    """How much is cropped, or padded, before and behind."""
    given = [before, behind, target]
    if sum(part is None for part in given) != 1:
        raise ValueError(
            f"Must specify exactly two of: {what} at the one side, {what} at the other, and the "
            f"target size. Received: {before}, {behind}, {target}"
        )
    if target is not None:
        if not isinstance(size, int):
            raise ValueError("The size of the images must be known where a target size is given.")
        total = sign * (target - size)
        before = total - behind if before is None else before
        behind = total - before if behind is None else behind
    if before < 0 or behind < 0:
        raise ValueError(f"The {what} must be >= 0. Received: {before} and {behind}")
    return int(before), int(behind)


@tensor_function()
def gaussian_blur(
    op: Emitter,
    images: Any,
    kernel_size: Any = (3, 3),
    sigma: Any = (1.0, 1.0),
    data_format: str | None = None,
) -> ir.Value:
    """Return images smoothed by weights that fall like a bell; outside lie zeros.

    Args:
        images: `(batch, height, width, channels)`, or one image.
        kernel_size: rows and columns that have a weight.
        sigma: width of the bell, along rows and columns.
        data_format: `"channels_last"` (default) or `"channels_first"`.
    """
    x, back = framed(op, images, data_format)
    rows, columns = integers(kernel_size, 2, "kernel_size")
    kernel = np.outer(_bell(columns, sigma[1]), _bell(rows, sigma[0]))
    return back(_filtered(op, x, kernel.reshape(rows, columns), rows // 2))


@tensor_function()
def sobel_edges(op: Emitter, images: Any, data_format: str | None = None) -> ir.Value:
    """Return how much images change along rows and columns, a last axis of 2.

    Args:
        images: `(batch, height, width, channels)`.
        data_format: `"channels_last"` (default) or `"channels_first"`.
    """
    x, back = framed(op, images, data_format)
    along = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    edges = [back(_filtered(op, x, kernel, 1)) for kernel in (along.T, along)]
    return op.Concat(*(op.Unsqueeze(edge, [-1]) for edge in edges), axis=-1)


@tensor_function()
def ssim(
    op: Emitter,
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> ir.Value:
    """Return the structural similarity of images (Wang et al., 2004).

    Args:
        image1: `(batch, height, width, channels)`, or one image.
        image2: of the same shape.
        max_val: the largest value that there can be.
        filter_size: rows and columns of the windows that are compared.
        filter_sigma: width of the bell of their weights.
        k1: keeps the quotient of means finite.
        k2: keeps the quotient of variances finite.
        data_format: `"channels_last"` (default) or `"channels_first"`.
    """
    image1, image2 = floats(op, image1, image2)
    rank = rank_of(image1)
    (x, _), (y, _) = framed(op, image1, data_format), framed(op, image2, data_format)
    bell = _bell(filter_size, filter_sigma)
    kernel = np.outer(bell, bell)

    def means(value: ir.Value) -> ir.Value:
        return _filtered(op, value, kernel, 0)

    mean_x, mean_y = means(x), means(y)
    both = op.Mul(mean_x, mean_y)
    squares = op.Add(op.Mul(mean_x, mean_x), op.Mul(mean_y, mean_y))
    spread = op.Sub(means(op.Add(op.Mul(x, x), op.Mul(y, y))), squares)
    joint = op.Sub(means(op.Mul(x, y)), both)
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    above = op.Mul(op.Add(op.Mul(both, 2.0), c1), op.Add(op.Mul(joint, 2.0), c2))
    found = op.Div(above, op.Mul(op.Add(squares, c1), op.Add(spread, c2)))
    result = op.ReduceMean(found, [1, 2, 3], keepdims=0)
    return op.Squeeze(result, [0]) if rank == 3 else result


@tensor_function()
def extract_patches(
    op: Emitter,
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> ir.Value:
    """Return the windows of images, each as the channels of one place.

    Args:
        images: `(batch, height, width, channels)`, or one image; volumes where `size` has three.
        size: height and width of a window.
        strides: steps from one window to the next; default `size`.
        dilation_rate: distance of two cells inside a window.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` (default) or `"channels_first"`.
    """
    rank = 2 if isinstance(size, int) else len(size)
    return _patches(op, images, rank, (size, strides, dilation_rate), padding, data_format)


@tensor_function()
def extract_patches_3d(
    op: Emitter,
    volumes: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> ir.Value:
    """Return the windows of volumes; arguments as those of `extract_patches`."""
    return _patches(op, volumes, 3, (size, strides, dilation_rate), padding, data_format)


def _patches(
    op: Emitter,
    images: Any,
    rank: int,
    window: tuple[Any, Any, Any],
    padding: str,
    data_format: str | None,
) -> ir.Value:
    sizes = integers(window[0], rank, "size")
    steps = sizes if window[1] is None else integers(window[1], rank, "strides")
    apart = integers(window[2], rank, "dilation_rate")
    x = tensor(op, images)
    alone = rank_of(x) == rank + 1
    x = op.Unsqueeze(x, [0]) if alone else x
    first = check_data_format(data_format) == FIRST
    x = op.Transpose(x, perm=[0, *range(2, rank + 2), 1]) if first else x
    known = static_shape(x)[1:-1]
    padded = padding_attributes(
        check_padding(padding, "same", "valid"), known, sizes, steps, apart
    ).get("pads", [0] * 2 * rank)
    if any(padded):
        x = op.Pad(x, np.array([0, *padded[:rank], 0, 0, *padded[rank:], 0], np.int64))
    for i in range(rank):
        length = static_shape(x)[1 + 2 * i]
        if not isinstance(length, int):
            raise ValueError("The size of the images must be known.")
        x = op.Gather(x, window_rows(length, sizes[i], apart[i], steps[i]), axis=1 + 2 * i)
    places = [1 + 2 * i for i in range(rank)]
    x = op.Transpose(x, perm=[0, *places, *(p + 1 for p in places), 2 * rank + 1])
    n, *rest = sizes_of(x)
    made = reshaped(op, x, [n, *rest[:rank], product(op, rest[rank:])])
    made = op.Transpose(made, perm=[0, rank + 1, *range(1, rank + 1)]) if first else made
    return op.Squeeze(made, [0]) if alone else made


def _bell(size: int, sigma: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Weights that fall like a bell and sum to 1."""
    apart = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * (apart / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def _filtered(op: Emitter, x: ir.Value, kernel: Any, around: int) -> ir.Value:
    """Each channel of images convolved with a kernel."""
    x = floating(op, x)
    channels = static_shape(x)[1]
    if not isinstance(channels, int):
        raise ValueError(f"The number of channels must be known. Received: {static_shape(x)}")
    weights = np.tile(np.asarray(kernel, dtype_name(x))[None, None], (channels, 1, 1, 1))
    return op.Conv(x, weights, group=channels, pads=[around] * 4)


def _check_float(x: ir.Value) -> None:
    if not dtypes.is_float(dtype_name(x)):
        raise ValueError(
            f"Invalid images dtype: expected float dtype. Received: images.dtype={dtype_name(x)}"
        )
