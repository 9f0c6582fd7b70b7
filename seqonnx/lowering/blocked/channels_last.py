"""Between the blocked layout and the one with the channels last, without a Transpose.

ONNX Runtime's Transpose takes one thread; its Reorders take all, and go to either order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph.reading import is_op, known_sizes
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


def product_of_pixels(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """A product with the channels of a native map as rows, from its pixels as rows.

    The weight gradient of a pointwise convolution is one. The channels as rows take a Transpose,
    which has one thread, and MLAS packs what it need not turn faster.
    """
    a, b, *rest = node.inputs
    x = _channels_as_rows(region, b)
    if a is None or x is None or node.attributes.get_int("transB", 0) == 0:
        return None
    images, channels, height, width = known_sizes(x) or ()
    rows = region.reshaped(pixels(region, x), [images * height * width, channels])
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    y = node.outputs[0]
    inputs = [a, rows, *rest]
    return region.emit("Gemm", inputs, attributes | {"transB": 0}, y, known_sizes(y), domain="")


def _channels_as_rows(region: BlockedRegion, value: ir.Value | None) -> ir.Value | None:
    """The native map of which this has a row for each channel, of all pixels of all images."""
    node = None if value is None else value.producer()
    x = swapped(node.inputs[0]) if node is not None and is_op(node, "Reshape") else None
    if x is None or not region.is_native(x) or not region.fits(x):
        return None
    images, channels, height, width = known_sizes(x) or ()
    return x if known_sizes(value) == (channels, images * height * width) else None
