"""Pictures read from files, made as large as a network wants them: as `tf.image.resize` does."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np


class Crop(NamedTuple):
    """A part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(1 - np.abs(x), 0))


def _cubic(b: float, c: float) -> Callable[[np.ndarray], np.ndarray]:
    """The family of cubic filters of Mitchell and Netravali, "Reconstruction filters", 1988."""

    def kernel(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        near = (12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)
        far = (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x
        return np.where(x < 1, near, np.where(x < 2, far + (8 * b + 24 * c), 0)) / 6

    return kernel


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(np.abs(x) < radius, np.sinc(x) * np.sinc(x / radius), 0)


def _gaussian(x: np.ndarray) -> np.ndarray:
    """The Gaussian of Turkowski, "Filters for common resampling tasks", 1990: sigma 1/2."""
    return np.where(np.abs(x) < 1.5, np.exp(-2 * x**2), 0)


_KERNELS: Final[dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]]] = {
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic(0, 0.5)),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
    "gaussian": (1.5, _gaussian),
    "mitchellcubic": (2, _cubic(1 / 3, 1 / 3)),
}
"""Radius in pixels and weight by the distance, for each interpolation that is a filter."""

_BLURS: Final = ("gaussian", "mitchellcubic")
"""The filters that change a picture even where its size stays."""

INTERPOLATIONS: Final = (
    *("bilinear", "nearest", "bicubic", "area"),
    *("lanczos3", "lanczos5", "gaussian", "mitchellcubic"),
)


def resized(image: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resize a picture.

    Centres of pixels lie at halves and nothing is blurred before, as in `tf.image.resize`; weights
    of pixels beyond the border are left out and the others add up to 1.

    Args:
        image: array of shape (height, width, channels).
        size: new height and width.
        interpolation: one of `INTERPOLATIONS`.

    Returns:
        float32 array of shape (size[0], size[1], channels).

    Example:
        >>> resized(np.array([[[1.0], [5.0]]]), (1, 4), "bilinear").ravel().tolist()
        [1.0, 2.0, 4.0, 5.0]
    """
    result = np.asarray(image, np.float32)
    for axis in (0, 1):
        if result.shape[axis] != size[axis] or interpolation in _BLURS:
            result = _along(result, axis, *_taps(result.shape[axis], size[axis], interpolation))
    return result


def crop_box(height: int, width: int, size: tuple[int, int]) -> Crop:
    """Return the largest box in the middle of a picture with the ratio of a size.

    Args:
        height: height of the picture.
        width: its width.
        size: height and width that the box will be resized to.

    Example:
        >>> crop_box(340, 500, (200, 200))
        Crop(top=0, left=80, height=340, width=340)
    """
    cut_height = max(min(height, int(width * size[0] / size[1])), 1)
    cut_width = max(min(width, int(height * size[1] / size[0])), 1)
    return Crop((height - cut_height) // 2, (width - cut_width) // 2, cut_height, cut_width)


def resized_with_crop(image: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resize the middle of a picture, the largest part that has the ratio of `size`."""
    box = crop_box(image.shape[0], image.shape[1], size)
    middle = image[box.top : box.top + box.height, box.left : box.left + box.width]
    return resized(middle, size, interpolation)


def resized_with_pad(image: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Resize a picture to the largest that fits into `size` with its ratio, in the middle of 0."""
    ratio = max(image.shape[0] / size[0], image.shape[1] / size[1])
    exact = [image.shape[axis] / ratio for axis in (0, 1)]
    height, width = (max(int(length), 1) for length in exact)
    top, left = (int((whole - length) / 2) for whole, length in zip(size, exact, strict=True))
    result = np.zeros((*size, image.shape[2]), np.float32)
    result[top : top + height, left : left + width] = resized(image, (height, width), interpolation)
    return result


def _along(x: np.ndarray, axis: int, indices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum over taps: `weights[i, k] * x[indices[i, k]]`."""
    shape = [1, 1, 1]
    shape[axis] = -1
    total: np.ndarray = np.take(x, indices[:, 0], axis) * weights[:, 0].reshape(shape)
    for k in range(1, indices.shape[1]):
        total += np.take(x, indices[:, k], axis) * weights[:, k].reshape(shape)
    return total


@lru_cache(maxsize=256)  # sizes of pictures repeat
def _taps(old: int, new: int, interpolation: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which pixels each new pixel is made of, and their float32 weights: (new, taps)."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    if interpolation == "nearest":
        return np.minimum(centres.astype(int), old - 1)[:, None], np.ones((new, 1), np.float32)
    if interpolation == "area":
        indices, weights = _overlaps(new, scale)
    else:
        radius, kernel = _KERNELS[interpolation]
        first = np.floor(centres - radius - 0.5).astype(int) + 1
        indices = first[:, None] + np.arange(int(np.ceil(2 * radius)))
        weights = kernel(indices + 0.5 - centres[:, None])
    weights = np.where((indices >= 0) & (indices < old), weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(indices, 0, old - 1), weights.astype(np.float32)


def _overlaps(new: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels that each new pixel covers, and how much of each."""
    starts, ends = np.arange(new) * scale, (np.arange(new) + 1) * scale
    indices = np.floor(starts).astype(int)[:, None] + np.arange(int(np.ceil(scale)) + 1)
    covered = np.minimum(indices + 1, ends[:, None]) - np.maximum(indices, starts[:, None])
    return indices, np.maximum(covered, 0)
