"""Pools, sums over maps, and enlarged maps in the blocked layout."""

from __future__ import annotations

import math
from typing import Any

import onnx_ir as ir

from seqonnx.graph.reading import is_op, known_sizes
from seqonnx.lowering.blocked.region import BlockedRegion
from seqonnx.lowering.blocks import sums_well

_COPIED = ("kernel_shape", "strides", "pads", "dilations")


def pool(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of the output of MaxPool or AveragePool, of a map that is native."""
    x, y = node.inputs[0], node.outputs[0]
    attributes = node.attributes
    plain = attributes.get_string("auto_pad", "NOTSET") == "NOTSET"
    if not plain or attributes.get_int("ceil_mode", 0) != 0 or len(node.outputs) > 1:
        return None
    if x is None or not region.is_native(x) or not region.fits(x) or not region.fits(y):
        return None
    copied: dict[str, Any] = {
        name: list(attributes.get_ints(name, ()) or ()) for name in _COPIED if name in attributes
    }
    if is_op(node, "AveragePool"):
        copied["count_include_pad"] = attributes.get_int("count_include_pad", 0)
        if max(copied.pop("dilations", [1])) > 1:
            return None
    return region.emit(node.op_type, [region.twin(x)], copied, like=y)


def every_so_many(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of a map of which a Slice takes every so many rows and columns, from the first on.

    A mean over single pixels takes them.
    """
    x, y = node.inputs[0], node.outputs[0]
    if x is None or not region.is_native(x) or not region.fits(x) or not region.fits(y):
        return None
    constants = [None if v is None else v.const_value for v in node.inputs[1:]]
    if len(constants) < 4 or any(value is None for value in constants):
        return None
    starts, _, axes, steps = (v.numpy().tolist() for v in constants if v is not None)
    if any(starts) or sorted(axes) != [2, 3] or min(steps) < 1 or max(steps) == 1:
        return None
    strides = [steps[axes.index(axis)] for axis in (2, 3)]
    before, after = (known_sizes(value) or () for value in (x, y))
    if any(-(-b // s) != a for b, s, a in zip(before[2:], strides, after[2:], strict=True)):
        return None
    attributes = {"kernel_shape": [1, 1], "strides": strides, "count_include_pad": 0}
    return region.emit("AveragePool", [region.twin(x)], attributes, like=y)


def enlarged(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of a map of which each pixel is repeated."""
    x, y = node.inputs[0], node.outputs[0]
    attributes = node.attributes
    if x is None or not region.is_native(x) or not region.fits(y) or not region.fits(x):
        return None
    if attributes.get_string("mode", "nearest") != "nearest":
        return None
    where = attributes.get_string("coordinate_transformation_mode", "half_pixel")
    if where != "asymmetric" or attributes.get_string("nearest_mode", "") != "floor":
        return None
    before, after = known_sizes(x) or (), known_sizes(y) or ()
    if before[:2] != after[:2] or any(b % a for a, b in zip(before, after, strict=True)):
        return None
    scales = [b // a for a, b in zip(before, after, strict=True)]
    return region.emit("Upsample", [region.twin(x)], {"scales": scales, "mode": "nearest"}, like=y)


def over_space(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The plain mean or sum over height and width of a native map, for each image and channel."""
    x, y = node.inputs[0], node.outputs[0]
    if x is None or not region.is_native(x) or not region.fits(x):
        return None
    if not sums_well(math.prod((known_sizes(x) or ())[2:])):
        return None
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    if not is_op(node, "GlobalAveragePool"):
        given = None if axes is None or axes.const_value is None else axes.const_value.numpy()
        if given is None or sorted(int(axis) % 4 for axis in given) != [2, 3]:
            return None
    images, channels, *space = known_sizes(x) or ()
    # A map of one pixel lies in memory as without blocks.
    one_pixel, pixels = [images, region.channels(x), 1, 1], float(space[0] * space[1])
    made = _sum_of_products(region, node, x)
    if made is None:
        made = region.emit("GlobalAveragePool", [region.twin(x)], {}, x, one_pixel)
        factor = pixels if is_op(node, "ReduceSum") else 1.0
    else:
        made = region.reshaped(made, one_pixel)
        factor = 1.0 if is_op(node, "ReduceSum") else 1.0 / pixels
    if not region.is_whole(x):
        made = region.op.Slice(made, [0], [channels], [1])
    if factor != 1.0:
        made = region.op.Mul(made, factor)
    return region.reshaped(made, known_sizes(y) or ())


def _sum_of_products(region: BlockedRegion, node: ir.Node, product: ir.Value) -> ir.Value | None:
    """The sum over space of a product of two maps that nothing else reads.

    It is a depthwise convolution of all maps of all images, each with a kernel of its own: half the
    time of a product and a pool (measured), as the product is not written.
    """
    made = product.producer()
    if not is_op(made, "Mul") or made is None or not region.only_reader(product, node):
        return None
    x, w = made.inputs
    if x is None or w is None or not region.fits(x) or not region.fits(w):
        return None
    sizes = known_sizes(product)
    if sizes is None or known_sizes(x) != sizes or known_sizes(w) != sizes:
        return None
    images, _, *space = sizes
    count = images * region.channels(product)
    maps = region.reshaped(region.twin(x), [1, count, *space])
    kernels = region.reshaped(region.twin(w), [count, 1, *space])
    attributes = {"kernel_shape": space, "group": count, "pads": [0] * 4}
    return region.emit("Conv", [maps, kernels], attributes, product, [1, count, 1, 1])


def over_images(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of the sum over the images, which stay an axis of one."""
    x, y = node.inputs[0], node.outputs[0]
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    given = None if axes is None or axes.const_value is None else axes.const_value.numpy()
    if x is None or not region.is_native(x) or given is None or not region.fits(y):
        return None
    if given.tolist() != [0] or node.attributes.get_int("keepdims", 1) == 0:
        return None
    return region.emit("ReduceSum", [region.twin(x), axes], dict(node.attributes), y, domain="")


def regrouped(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of maps that all become maps of one image, or are given back to theirs."""
    x, y = node.inputs[0], node.outputs[0]
    if x is None or not region.is_native(x) or not region.fits(x) or not region.fits(y):
        return None
    if not region.is_whole(x) or not region.is_whole(y):
        return None
    before, after = known_sizes(x) or (), known_sizes(y) or ()
    if before[2:] != after[2:] or 1 not in (before[0], after[0]):
        return None
    return region.reshaped(region.twin(x), after)


def maps_as_kernels(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of what all maps of all images give, each with a kernel of its own, as maps again.

    The kernels are maps, too. Where the channels fill no whole blocks, the maps that fill them up
    are computed with the others.
    """
    y = node.outputs[0]
    made = node.inputs[0].producer() if node.inputs[0] is not None else None
    if made is None or not is_op(made, "Conv") or len(made.inputs) > 2 or not region.fits(y):
        return None
    x, w = (_of_maps(region, value) for value in made.inputs)
    if x is None or w is None or region.is_whole(x):
        return None
    (images, _, *space), kernel = known_sizes(x) or (0,), known_sizes(w) or ()
    sizes, found = known_sizes(y) or (), known_sizes(made.outputs[0]) or ()
    if kernel[:2] != sizes[:2] or (known_sizes(x) or ())[:2] != sizes[:2]:
        return None
    count = images * region.channels(x)
    maps = region.reshaped(region.twin(x), [1, count, *space])
    kernels = region.reshaped(region.twin(w), [count, 1, *kernel[2:]])
    attributes: dict[str, Any] = {name: a.value for name, a in made.attributes.items()}
    attributes |= {"group": count, "kernel_shape": kernel[2:]}
    whole = region.emit("Conv", [maps, kernels], attributes, y, [1, count, *found[2:]])
    return region.reshaped(whole, [images, region.channels(y), *sizes[2:]])


def _of_maps(region: BlockedRegion, value: ir.Value | None) -> ir.Value | None:
    """The native maps of which all are the channels or the kernels of this value."""
    node = None if value is None else value.producer()
    source = node.inputs[0] if node is not None and is_op(node, "Reshape") else None
    if source is None or not region.is_native(source) or not region.fits(source):
        return None
    (images, channels, *space), sizes = known_sizes(source) or (0, 0), known_sizes(value)
    count = images * channels
    return source if sizes in ((1, count, *space), (count, 1, *space)) else None


def side_by_side(region: BlockedRegion, node: ir.Node) -> ir.Value | None:
    """The twin of several maps as one with all their channels."""
    y = node.outputs[0]
    values = [value for value in node.inputs if value is not None]
    if node.attributes.get_int("axis", 0) % 4 != 1 or not region.fits(y):
        return None
    if not all(region.fits(value) and region.is_whole(value) for value in values):
        return None
    if sum(region.is_native(value) for value in values) * 2 <= len(values):
        return None
    twins = [region.twin(value) for value in values]
    return region.emit("Concat", twins, {"axis": 1}, like=y, domain="")
