"""The weight gradient of a dense convolution in the blocked layout.

It is itself a convolution: with the channels of x as images, the images as channels, and the
gradient as the kernel. A block of images at a time, such a kernel stays in the cache, and what was
blocked by channels is, seen so, already half of what the layout asks of a kernel. Measured on one
thread of an AVX2 machine: 0.69 to 0.84 of the time of products of gathered windows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph.reading import known_sizes
from seqonnx.graph.scan_body import ScanBody
from seqonnx.lowering.blocked.region import DOMAIN, BlockedRegion, swapped


def weight_gradient(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of a weight gradient that is written as a convolution of swapped axes.

    Args:
        region: the region.
        node: a convolution of two Transposes that make channels of images: of x, (batch, channels,
            height, width), and of the gradient, whose channels and batch are whole blocks.
    """
    x, dy = (swapped(value) for value in node.inputs[:2])
    y = node.outputs[0]
    if x is None or dy is None or len(node.inputs) > 2 or not region.fits(dy):
        return None
    if not region.is_whole(dy):
        return None
    images, channels, *space = known_sizes(x) or (1,)
    sizes, kernel = known_sizes(dy), known_sizes(y)
    if images % region.block or sizes is None or kernel is None:
        return None
    op, block = region.op, region.block
    pads = list(node.attributes.get_ints("pads", ()) or (0, 0, 0, 0))
    padded = _padded(region, x, pads) if any(pads) else x
    height, width = (size + pads[i] + pads[i + 2] for i, size in enumerate(space))
    tall = [1, images, channels * height, width]
    blocks = region.emit("ReorderInput", [region.reshaped(padded, tall)], {}, x, tall)
    groups = images // block
    scan = ScanBody(op, "images")
    start = scan.state(op.constant(np.zeros(kernel, np.float32)))
    part = scan.element(region.reshaped(blocks, [groups, channels, block, height, width]))
    grad = scan.element(region.reshaped(region.twin(dy), [groups, block, *sizes[1:]]))
    filters, *places = sizes[1:]
    inner = scan.body
    split = np.array([block, filters // block, places[0] * places[1], block])
    turned = inner.Transpose(inner.Reshape(grad, split), perm=[1, 2, 0, 3])
    weights = inner.Reshape(turned, np.array([filters, block, *places]))
    attributes: dict[str, Any] = {
        name: list(node.attributes.get_ints(name, ()) or (1, 1))
        for name in ("strides", "dilations")
    }
    attributes |= {"kernel_shape": places, "group": 1, "pads": [0] * 4}
    made = ir.node("Conv", [part, weights, None, start], attributes, domain=DOMAIN)
    total = made.outputs[0]
    total.name = made.name = inner.unique_name("Conv")
    total.type, total.shape = y.type, ir.Shape(kernel)
    inner.graph.append(made)
    [sums], _ = scan.run([total], [])
    return sums


def _padded(region: BlockedRegion, x: ir.Value, pads: list[int]) -> ir.Value:
    """A plain map with zeros around it.

    ONNX Runtime's Pad takes one thread; a depthwise convolution that changes nothing takes all.
    """
    if not region.is_native(x):
        return region.op.Pad(x, np.array([0, 0, *pads[:2], 0, 0, *pads[2:]]))
    images, channels, *space = known_sizes(x) or ()
    sizes = [size + pads[i] + pads[i + 2] for i, size in enumerate(space)]
    whole = region.channels(x)
    ones = region.op.constant(np.ones((whole, 1, 1, 1), np.float32))
    attributes = {"kernel_shape": [1, 1], "group": whole, "pads": pads}
    wide = region.emit("Conv", [region.twin(x), ones], attributes, x, [images, whole, *sizes])
    shape = [images, channels, *sizes]
    return region.emit("ReorderOutput", [wide], {"channels": channels}, x, shape)
