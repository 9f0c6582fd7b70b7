"""Where the channels are: Keras puts them last, ONNX's image operators want them on axis 1.

Layers transpose around the operator; the layout pass cancels the pairs between layers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from seqonnx.defaults import image_data_format
from seqonnx.graph import Emitter

LAST: Final = "channels_last"
FIRST: Final = "channels_first"


def check_data_format(data_format: str | None) -> str:
    """Return where the channels are; None means `config.image_data_format()`.

    Raises:
        ValueError: for any other text.

    Example:
        >>> check_data_format(None)
        'channels_last'
    """
    chosen = image_data_format() if data_format is None else str(data_format).lower()
    if chosen not in {FIRST, LAST}:
        raise ValueError(
            "The `data_format` argument must be one of "
            f"{{'channels_first', 'channels_last'}}. Received: data_format={data_format}"
        )
    return chosen


def channel_axis(data_format: str) -> int:
    """Return the axis of the channels."""
    return 1 if data_format == FIRST else -1


def spatial_axes(data_format: str, rank: int) -> range:
    """Return the axes of height, width and so on, for images with `rank` of them."""
    return range(2, 2 + rank) if data_format == FIRST else range(1, 1 + rank)


def to_channels_first(op: Emitter, x: ir.Value, axis: int = -1) -> ir.Value:
    """Emit a transposition that brings `axis` to 1 and leaves the others in order."""
    order = _order(x, axis)
    return x if order == sorted(order) else op.Transpose(x, perm=order)


def from_channels_first(op: Emitter, x: ir.Value, axis: int = -1) -> ir.Value:
    """Emit the transposition that undoes `to_channels_first`."""
    order = _order(x, axis)
    if order == sorted(order):
        return x
    return op.Transpose(x, perm=[int(i) for i in np.argsort(order)])


def _order(x: ir.Value, axis: int) -> list[int]:
    rank = len(x.shape) if x.shape is not None else 0
    axis %= rank
    return [0, axis, *(i for i in range(1, rank) if i != axis)]
