"""Which maps ONNX Runtime's blocked layout is for, and how many channels it gives them."""

from __future__ import annotations

_SPARE = 8
"""A map may have one channel more for each so many of its own: more would be work for nothing."""

_QUARTET = 4
"""ONNX Runtime's Reorders take channels by fours."""

_PLACES = 1 << 14
"""Most pixels of a map that are summed: a pool or convolution adds them one after another, so that
the rounding grows with the root of their number (4e-6 of a gradient's largest at 1,024)."""


def padded_channels(channels: int, block: int) -> int:
    """Return a number of channels, filled up to whole blocks.

    Example:
        >>> padded_channels(728, 16), padded_channels(728, 8)
        (736, 728)
    """
    return -(-channels // block) * block


def fills_blocks(channels: int, block: int) -> bool:
    """Return whether few channels are missing to whole blocks, and a Reorder can fill them up.

    Example:
        >>> fills_blocks(728, 16), fills_blocks(20, 16)
        (True, False)
    """
    missing = padded_channels(channels, block) - channels
    return channels % _QUARTET == 0 and _SPARE * missing <= channels


def sums_well(places: int) -> bool:
    """Return whether so many pixels may be summed in the layout: rounding grows with their number.

    Example:
        >>> sums_well(96 * 96), sums_well(512 * 512)
        (True, False)
    """
    return places <= _PLACES


def parts_of_image(images: int, height: int, block: int) -> int:
    """Return into how many parts of its height each image is cut, so that they fill whole blocks.

    Example:
        >>> parts_of_image(32, 7, 16), parts_of_image(8, 32, 16), parts_of_image(8, 7, 16)
        (1, 2, 0)
    """
    if images % block == 0:
        return 1
    if images == 0 or block % images or height % (block // images):
        return 0
    return block // images
