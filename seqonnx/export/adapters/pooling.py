"""Pooling and sampling of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.export.adapters.registry import (
    NotInOperatorSetError,
    adapter,
    drop,
    emit_again,
    integers,
    rank_of,
)
from seqonnx.graph import Emitter
from seqonnx.graph.reading import input_at

_MODES = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}
"""Names of GridSample's modes before it had more than two dimensions."""


def _no_window_starts_outside(op: Emitter, node: ir.Node) -> None:
    """Refuse sizes rounded up where a window may start behind the input: lower sets count it.

    A window starts at most `end padding + stride - size of the window` behind the input.
    """
    if node.attributes.get_int("ceil_mode", 0) == 0:
        return
    kernel = list(node.attributes.get_ints("kernel_shape", ()))
    dilations = list(node.attributes.get_ints("dilations", [1] * len(kernel)))
    strides = list(node.attributes.get_ints("strides", [1] * len(kernel)))
    ends = list(node.attributes.get_ints("pads", [0] * 2 * len(kernel)))[len(kernel) :]
    for size, dilation, stride, end in zip(kernel, dilations, strides, ends, strict=True):
        if end + stride > dilation * (size - 1) + 1:
            raise NotInOperatorSetError(
                "its sizes are rounded up, and lower sets count windows that start in the padding"
            )


for _name in ("MaxPool", "AveragePool", "LpPool"):
    adapter(_name, 22)(_no_window_starts_outside)


@adapter("AveragePool", 19)
def _first_average(op: Emitter, node: ir.Node) -> None:
    if any(dilation != 1 for dilation in node.attributes.get_ints("dilations", ())):
        raise NotInOperatorSetError("its windows have gaps (`dilations`)")
    ceil, padded = (node.attributes.get_int(name, 0) for name in ("ceil_mode", "count_include_pad"))
    if ceil == padded == 1:
        raise NotInOperatorSetError("its sizes are rounded up and it counts the padding")
    drop(node, "dilations")


@adapter("GridSample", 20)
def _in_two_dimensions(op: Emitter, node: ir.Node) -> None:
    assert node.inputs[0] is not None
    if rank_of(node.inputs[0]) != 4:
        raise NotInOperatorSetError("lower sets sample images of two dimensions only")
    mode = node.attributes.get_string("mode", "linear")
    node.attributes.add(ir.AttrString("mode", _MODES[mode]))


@adapter("RoiAlign", 16)
def _without_half_pixel(op: Emitter, node: ir.Node) -> None:
    mode = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    if mode != "output_half_pixel":
        raise NotInOperatorSetError("lower sets do not shift regions by half a pixel")
    drop(node, "coordinate_transformation_mode")


@adapter("Resize", 19)
def _resize_of_18(op: Emitter, node: ir.Node) -> None:
    mode = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    if mode == "half_pixel_symmetric":
        raise NotInOperatorSetError(f'it reads coordinates as "{mode}"')


@adapter("Resize", 18)
def _resize_of_all_axes(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    if node.attributes.get_int("antialias", 0) != 0:
        raise NotInOperatorSetError("it filters before it makes smaller (`antialias`)")
    policy = node.attributes.get_string("keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        raise NotInOperatorSetError(f'its policy for the aspect ratio is "{policy}"')
    drop(node, "antialias", "keep_aspect_ratio_policy")
    if "axes" not in node.attributes:
        return None
    x, roi, scales, sizes = (input_at(node, i) for i in range(4))
    if x is None or (roi is not None and roi.shape != ir.Shape([0])):
        raise NotInOperatorSetError("it resizes a region, over some axes only (`axes`)")
    rank = rank_of(x)
    places = integers(op, [axis % rank for axis in node.attributes.get_ints("axes")])
    if sizes is not None:
        sizes = op.ScatterElements(op.Shape(x), places, sizes)
    else:
        scales = op.ScatterElements(op.constant(np.ones(rank, np.float32)), places, scales)
    return [emit_again(op, node, [x, roi, scales, sizes], axes=None)]
