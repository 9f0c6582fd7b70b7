"""Elements of a map at regular places, as a depthwise convolution whose kernel has a single one.

ONNX Runtime has such a convolution in its blocked layout, and no Slice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph import static_shape
from seqonnx.graph.reading import numpy_dtype


def picked(
    op: RuleEmitter,
    x: ir.Value,
    place: tuple[int, int],
    strides: tuple[int, int],
    kernel: Sequence[int] | None = None,
    pads: Sequence[int] = (0, 0, 0, 0),
) -> ir.Value:
    """Emit every so many elements of a map, from a place on.

    Args:
        op: the rule's emitter.
        x: the map, (batch, channels, height, width); the number of channels is known.
        place: row and column of the first element in the window that slides over the map.
        strides: steps down and to the right.
        kernel: height and width of the window; default: no more than the place needs.
        pads: zeros around the map: above, to the left, below, to the right.
    """
    channels = int(static_shape(x)[1] or 0)
    kernel = [place[0] + 1, place[1] + 1] if kernel is None else list(kernel)
    weights = np.zeros((channels, 1, *kernel), numpy_dtype(x))
    weights[:, :, place[0], place[1]] = 1.0
    return op.Conv(
        x, weights, kernel_shape=kernel, strides=list(strides), pads=list(pads), group=channels
    )
