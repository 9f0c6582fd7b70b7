"""Parts of networks that several families share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

Padding = tuple[tuple[int, int], tuple[int, int]]

CONV_KERNEL: Final = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}
"""First kernels of convolutions in the EfficientNets."""

DENSE_KERNEL: Final = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0 / 3.0, "mode": "fan_out", "distribution": "uniform"},
}
"""First kernel of the classifier in the EfficientNets."""


def nearest(filters: float) -> int:
    """Return the nearest multiple of 8 that is at least 8."""
    return max(8, int(filters + 4) // 8 * 8)


def rounded(filters: float) -> int:
    """Return the nearest multiple of 8 that is at least 8 and not below 90 %.

    Example:
        >>> rounded(35.2), rounded(11)
        (32, 16)
    """
    result = nearest(filters)
    return result + 8 if result < 0.9 * filters else result


def strided_padding(x: Any, window: int | tuple[int, int]) -> Padding:
    """Return the zeros before and after each axis for a window with strides of 2.

    Args:
        x: images, (batch, height, width, channels).
        window: size of the window, odd.
    """
    rows, columns = (window, window) if isinstance(window, int) else window
    sizes: Sequence[int | None] = x.shape[1:3]
    odd = [0 if sizes[0] is None or size is None else size % 2 for size in sizes]
    return ((rows // 2 - 1 + odd[0], rows // 2), (columns // 2 - 1 + odd[1], columns // 2))
