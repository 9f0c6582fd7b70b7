"""Convolutions in the blocked layout, and what goes into one: factors, sums, activations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from seqonnx.graph.reading import constant_ints, is_op, known_sizes
from seqonnx.lowering.blocked.channels_last import pointwise_product
from seqonnx.lowering.blocked.region import BlockedRegion, swapped
from seqonnx.lowering.blocks import fills_blocks, padded_channels
from seqonnx.lowering.small_maps import is_small_pointwise

_POINT: Mapping[str, Any] = {"kernel_shape": [1, 1], "pads": [0] * 4}
_COPIED = ("strides", "dilations", "pads")


def convolution(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of a convolution's output; None where the plain one is as fast, or none fits."""
    x, w, *rest = node.inputs
    if (
        x is None
        or w is None
        or (w.is_initializer() and not _is_constant_depthwise(region, node, x, w))
    ):
        return None
    if is_small_pointwise(node):
        return pointwise_product(region, node)
    if not _is_worth_it(region, node, x, w):
        return None
    sizes = known_sizes(w) or ()
    attributes: dict[str, Any] = {
        name: list(node.attributes.get_ints(name, ()) or ())
        for name in _COPIED
        if name in node.attributes
    }
    y, channels, group = (
        node.outputs[0],
        (known_sizes(x) or ())[1],
        node.attributes.get_int("group", 1),
    )
    depthwise = group == channels
    attributes |= {"group": region.channels(x) if depthwise and group > 1 else group}
    attributes |= {"kernel_shape": sizes[2:]}
    source = x if channels < region.block else region.twin(x)
    if w not in region.kernels:
        made = _constant(region, w) if w.is_initializer() else _weights(region, w, group, channels)
        region.kernels[w] = made
    biases = [region.for_channels(bias, y) for bias in rest if bias is not None]
    return region.emit("Conv", [source, region.kernels[w], *biases], attributes, like=y)


def _is_constant_depthwise(region: BlockedRegion, node: ir.Node, x: ir.Value, w: ir.Value) -> bool:
    """Whether constant weights are those of a depthwise convolution of a map of the region.

    ONNX Runtime takes constant weights to the layout itself, but does not see that x is there.
    """
    sizes, group = known_sizes(w) or (0, 0), node.attributes.get_int("group", 1)
    depthwise = group > 1 and sizes[:2] == (group, 1)
    return depthwise and w.const_value is not None and region.is_native(x)


def _constant(region: BlockedRegion, w: ir.Value) -> ir.Value:
    """Constant weights of a depthwise convolution: [C / B, h, w, B]."""
    assert w.const_value is not None
    weights = w.const_value.numpy()
    filters, *kernel = weights.shape[:1] + weights.shape[2:]
    whole = padded_channels(filters, region.block)
    filled = np.zeros((whole, *kernel), np.float32)
    filled[:filters] = weights[:, 0]
    blocks = filled.reshape(whole // region.block, region.block, *kernel)
    return region.op.constant(np.moveaxis(blocks, 1, -1).reshape(whole, 1, *kernel))


def _is_worth_it(region: BlockedRegion, node: ir.Node, x: ir.Value, w: ir.Value) -> bool:
    """Whether a convolution of live weights fits the layout and gains by it (measured)."""
    y, block = node.outputs[0], region.block
    image, weights = known_sizes(x), known_sizes(w)
    if image is None or weights is None or not region.fits(y):
        return False
    if x.dtype is not ir.DataType.FLOAT:
        return False
    channels, (_, inner, *kernel) = image[1], weights
    group = node.attributes.get_int("group", 1)
    plain = node.attributes.get_string("auto_pad", "NOTSET") == "NOTSET"
    if not plain:
        return False
    if group > 1:
        filters = (known_sizes(y) or ())[1]
        if group == channels == filters:
            return fills_blocks(channels, block)
        return inner % block == 0 and (filters // group) % block == 0
    if max(kernel) == 1:
        # Alone between plain neighbours the way into the layout and back costs what it gains.
        return region.is_native(x) and region.is_whole(x)
    return channels % block == 0 or channels < block


def _weights(region: BlockedRegion, w: ir.Value, group: int, channels: int) -> ir.Value:
    """Weights as the layout has them: [K / B, C / B, h, w, B of C, B of K].

    A Reorder makes blocks of K, with all threads, where a Transpose of small blocks takes one and
    7 ns for each number.
    """
    twin = _map_as_kernel(region, w)
    if twin is not None:
        return twin
    filters, inner, *kernel = known_sizes(w) or ()
    op, block, places = region.op, region.block, math.prod(kernel)
    whole = padded_channels(filters, block)
    source = swapped(w) if group == 1 and channels % block == 0 else None
    if source is not None and places == 1:
        # Its rows are those of the pixels of an image with the channels last.
        rows = region.reshaped(source, [1, inner, 1, filters])
        image = [1, whole, inner, 1]
        made = region.emit("ReorderInput", [rows], {"channels_last": 1}, rows, image)
    elif source is not None:
        plain = _before_mirror(source)
        reordered = region.emit("ReorderInput", [plain], {}, source)
        split = [inner // block, block, whole // block, places, block]
        made = op.Transpose(op.Reshape(reordered, np.array(split)), perm=[2, 0, 3, 1, 4])
        if plain is not source:
            made = _mirrored(region, made, [whole * inner // block**2, places, block**2])
    else:
        plain = _before_mirror(w) if inner == 1 or inner % block == 0 else w
        tall = region.reshaped(plain, [1, filters, inner * places, 1])
        made = region.emit("ReorderInput", [tall], {}, tall)
        run = block
        if places > 1 and inner % block == 0:
            split = [whole * inner // block**2, block, places, block]
            made = op.Transpose(op.Reshape(made, np.array(split)), perm=[0, 2, 1, 3])
            run = block**2
        if plain is not w:
            made = _mirrored(region, made, [whole * inner // run, places, run])
    return region.reshaped(made, [whole, inner, *kernel])


def _before_mirror(w: ir.Value) -> ir.Value:
    """The weights that a Slice mirrors along all axes of space that are longer than one."""
    node = w.producer()
    if node is None or not is_op(node, "Slice") or len(node.inputs) < 5:
        return w
    starts, _, axes, steps = (constant_ints(value) for value in node.inputs[1:5])
    longer = [axis for axis, size in enumerate(known_sizes(w) or ()) if axis > 1 and size > 1]
    source = node.inputs[0]
    if source is None or known_sizes(source) != known_sizes(w) or axes is None:
        return w
    return source if sorted(axes) == longer and {*(starts or ()), *(steps or ())} == {-1} else w


def _mirrored(region: BlockedRegion, made: ir.Value, sizes: list[int]) -> ir.Value:
    """Weights in the layout with their places backwards: ONNX Runtime's Slice goes by numbers."""
    backwards = np.arange(sizes[1] - 1, -1, -1)
    return region.op.Gather(region.reshaped(made, sizes), backwards, axis=1)


def _map_as_kernel(region: BlockedRegion, w: ir.Value) -> ir.Value | None:
    """The twin of a map that is seen as the kernels of a depthwise convolution, uncopied."""
    node = w.producer()
    source = node.inputs[0] if node is not None and is_op(node, "Reshape") else None
    whole = None if source is None else known_sizes(source)
    sizes = known_sizes(w)
    if source is None or whole is None or sizes is None or not region.fits(source):
        return None
    if not region.is_whole(source):
        return None
    if sizes != (whole[0] * whole[1], 1, *whole[2:]):
        return None
    return region.reshaped(region.twin(source), sizes)


def per_channel(
    region: BlockedRegion,
    x: ir.Value,
    like: ir.Value,
    factor: ir.Value | None = None,
    offset: ir.Value | None = None,
) -> ir.Value:
    """A twin times a number for each channel, plus another: a depthwise convolution of one pixel.

    Args:
        region: the region.
        x: the twin.
        like: a value of the result's type and shape.
        factor: the numbers to multiply by, one for each channel; default 1.
        offset: those to add; default 0.
    """
    channels = region.channels(like)
    if factor is None:
        factor = region.op.constant(np.ones((channels, 1, 1, 1), np.float32))
    else:
        factor = region.for_channels(factor, like, axes=4)
    rest = [] if offset is None else [region.for_channels(offset, like)]
    return region.emit("Conv", [x, factor, *rest], {**_POINT, "group": channels}, like)


def extended(
    region: BlockedRegion,
    node: ir.Node,
    like: ir.Value,
    *,
    offset: ir.Value | None = None,
    addend: ir.Value | None = None,
    activation: str | None = None,
    parameters: Sequence[float] = (),
) -> ir.Value | None:
    """A convolution of the region that does more: the old one is dropped.

    Args:
        region: the region.
        node: the convolution; no other may read it.
        like: a value of the result's type and shape.
        offset: numbers to add, one for each channel.
        addend: a twin to add.
        activation: name of the activation.
        parameters: its attributes, in the standard's order.

    Returns:
        The twin; None where the convolution already has such a part.
    """
    inputs: list[ir.Value | None] = [*node.inputs, None, None][:4]
    for place, value in ((2, offset), (3, addend)):
        if value is not None and inputs[place] is not None:
            return None
        inputs[place] = inputs[place] if value is None else value
    if offset is not None:
        inputs[2] = region.for_channels(offset, like)
    while inputs[-1] is None:
        inputs.pop()
    attributes: dict[str, Any] = {name: a.value for name, a in node.attributes.items()}
    if activation is not None:
        attributes["activation"] = activation
    if parameters:
        attributes["activation_params"] = list(parameters)
    return region.emit("Conv", inputs, attributes, like)
