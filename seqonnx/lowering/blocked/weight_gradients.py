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
from seqonnx.lowering.blocks import parts_of_image


def weight_gradient(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of a weight gradient that is written as a convolution of swapped axes.

    Args:
        region: the region.
        node: a convolution of two Transposes that make channels of images: of x, (batch, channels,
            height, width), and of the gradient, whose channels are whole blocks. So are its images,
            or equal parts of their heights (see `parts_of_image`).
    """
    x, dy = (swapped(value) for value in node.inputs[:2])
    y = node.outputs[0]
    if x is None or dy is None or len(node.inputs) > 2 or not region.fits(dy):
        return None
    if not region.is_whole(dy):
        return None
    sizes, kernel = known_sizes(dy), known_sizes(y)
    if sizes is None or kernel is None:
        return None
    parts, block = parts_of_image(sizes[0], sizes[2], region.block), region.block
    if parts == 0:
        return None
    filters, *places = sizes[1:]
    places[0] //= parts
    scan = ScanBody(region.op, "images")
    start = scan.state(region.op.constant(np.zeros(kernel, np.float32)))
    part = scan.element(_groups(region, node, x, parts, places[0]))
    groups = sizes[0] * parts // block
    grad = scan.element(region.reshaped(region.twin(dy), [groups, block // parts, *sizes[1:]]))
    inner = scan.body
    split = np.array([block // parts, filters // block, parts, places[0] * places[1], block])
    turned = inner.Transpose(inner.Reshape(grad, split), perm=[1, 3, 0, 2, 4])
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


def _groups(region: BlockedRegion, node: ir.Node, x: ir.Value, parts: int, rows: int) -> ir.Value:
    """The images of x, or parts of them, padded, a block at a time: (groups, C, B, height, width).

    Args:
        region: the region.
        node: the convolution of swapped axes.
        x: the map that it is of.
        parts: parts of each image.
        rows: rows of the gradient of a part.
    """
    images, channels, *space = known_sizes(x) or (1,)
    pads = list(node.attributes.get_ints("pads", ()) or (0, 0, 0, 0))
    padded = _padded(region, x, pads) if any(pads) else x
    height, width = (size + pads[i] + pads[i + 2] for i, size in enumerate(space))
    if parts > 1:
        step = rows * next(iter(node.attributes.get_ints("dilations", ()) or (1,)))
        padded, height = _in_parts(region, padded, (images, channels, height, width), parts, step)
    tall = [1, images * parts, channels * height, width]
    blocks = region.emit("ReorderInput", [region.reshaped(padded, tall)], {}, x, tall)
    groups = images * parts // region.block
    return region.reshaped(blocks, [groups, channels, region.block, height, width])


def _in_parts(
    region: BlockedRegion, x: ir.Value, sizes: tuple[int, int, int, int], parts: int, step: int
) -> tuple[ir.Value, int]:
    """Cut each image into parts that begin some rows apart, and say how many rows a part has.

    Args:
        region: the region.
        x: plain images of these sizes.
        sizes: images, channels, height and width.
        parts: parts of an image.
        step: rows from the beginning of a part to that of the next.

    Returns:
        (images, parts, channels, rows, width) in memory, and the rows.
    """
    images, channels, height, width = sizes
    count = height - step * (parts - 1)
    lines = region.reshaped(x, [images, channels * height, width])
    rows = np.add.outer(np.arange(channels) * height, np.arange(count))
    return region.op.Gather(
        lines, np.add.outer(np.arange(parts) * step, rows).reshape(-1), axis=1
    ), count


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
