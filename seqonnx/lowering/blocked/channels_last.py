"""Between the blocked layout and the one with the channels last, without a Transpose.

ONNX Runtime's Transpose takes one thread; its Reorders take all, and go to either order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph.reading import known_sizes
from seqonnx.lowering.blocked.region import BlockedRegion, swapped

_TO_LAST: Final = [0, 2, 3, 1]
_TO_FIRST: Final = [0, 3, 1, 2]


def to_last(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The plain map with the channels last, of a native one."""
    x = node.inputs[0]
    order = list(node.attributes.get_ints("perm", ()) or ())
    if x is None or order != _TO_LAST or not region.is_native(x) or not region.fits(x):
        return None
    if node.outputs[0].is_graph_output():  # each output is a value of its own
        return None
    return pixels(region, x)


def to_first(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of a map that comes with the channels last."""
    x, y = node.inputs[0], node.outputs[0]
    order = list(node.attributes.get_ints("perm", ()) or ())
    if x is None or order != _TO_FIRST or not region.fits(y):
        return None
    return region.emit("ReorderInput", [x], {"channels_last": 1}, like=y)


def pixels(region: BlockedRegion, x: ir.Value) -> ir.Value:
    """A map [N, C, H, W] as [N, H, W, C]; all readers of a map share it."""
    if x not in region.last:
        images, channels, height, width = known_sizes(x) or ()
        region.last[x] = region.emit(
            "ReorderOutput",
            [region.twin(x)],
            {"channels": channels, "channels_last": 1},
            like=x,
            shape=[images, height, width, channels],
        )
    return region.last[x]


def pointwise_product(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of a pointwise convolution that is a product with the pixels of all images."""
    x, w, *rest = node.inputs
    y = node.outputs[0]
    if x is None or w is None or not region.is_native(x) or not region.fits(y):
        return None
    op, (images, filters, height, width) = region.op, known_sizes(y) or ()
    channels = (known_sizes(x) or ())[1]
    rows = region.reshaped(pixels(region, x), [images * height * width, channels])
    source = swapped(w)
    if source is None:
        made = op.Gemm(rows, op.Reshape(w, np.array([filters, channels])), *rest, transB=1)
    else:
        made = op.Gemm(rows, op.Reshape(source, np.array([channels, filters])), *rest)
    last = region.reshaped(made, [images, height, width, filters])
    return region.emit("ReorderInput", [last], {"channels_last": 1}, like=y)
