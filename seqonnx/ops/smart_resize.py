"""`smart_resize`: a new size for pictures without distortion."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqonnx.data.resizing import crop_box
from seqonnx.defaults import standardize_data_format
from seqonnx.ops import image


def smart_resize(
    x: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
) -> Any:
    """Resize pictures without distortion: what does not fit the new ratio is cut off.

    The largest part in the middle that has the ratio of `size` is resized.

    Args:
        x: picture of shape (height, width, channels), or a batch of them; an array or a tensor.
        size: new height and width.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        An array for an array, else a tensor.

    Raises:
        ValueError: if `x` has another rank or an unknown size, or `size` is not two numbers.

    Example:
        >>> smart_resize(np.ones((4, 8, 3)), (2, 2)).shape
        (2, 2, 3)
    """
    if len(size) != 2:
        raise ValueError(f"`size` must be a height and a width. Received: size={size!r}")
    x = np.asarray(x) if isinstance(x, list | tuple) else x
    shape = tuple(x.shape)
    if len(shape) not in {3, 4}:
        raise ValueError(
            "`smart_resize` takes a picture of rank 3 or a batch of rank 4. Received: an input of "
            f"shape {shape}"
        )
    first = standardize_data_format(data_format) == "channels_first"
    height, width = shape[-2:] if first else shape[-3:-1]
    if not isinstance(height, int) or not isinstance(width, int):
        raise ValueError(
            "`smart_resize` needs pictures whose height and width are known. Received: an input "
            f"of shape {shape}"
        )
    box = crop_box(height, width, size)
    part = (slice(box.top, box.top + box.height), slice(box.left, box.left + box.width))
    x = x[(..., *part)] if first else x[(..., *part, slice(None))]
    return image.resize(x, tuple(size), interpolation=interpolation, data_format=data_format)
