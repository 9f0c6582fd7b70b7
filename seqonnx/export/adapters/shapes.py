"""Shapes: operators that gained inputs or attributes for what had to be computed before."""

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
from seqonnx.graph.reading import constant_ints, input_at

_LARGEST = 2**31 - 1
_FLOAT8 = frozenset(
    {
        ir.DataType.FLOAT8E4M3FN,
        ir.DataType.FLOAT8E4M3FNUZ,
        ir.DataType.FLOAT8E5M2,
        ir.DataType.FLOAT8E5M2FNUZ,
    }
)


@adapter("Cast", 19)
@adapter("CastLike", 19)
def _without_saturation(op: Emitter, node: ir.Node) -> None:
    """Saturation is about float8 alone."""
    result = node.outputs[0].dtype
    if result in _FLOAT8:
        raise NotInOperatorSetError(f"lower sets do not have {result}")
    drop(node, "saturate")


@adapter("CastLike", 15)
def _cast_like(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    target = node.inputs[1]
    if target is None or target.dtype is None:
        raise NotInOperatorSetError("the dtype that it casts to is not known")
    return [op.Cast(node.inputs[0], to=target.dtype)]


@adapter("Shape", 15)
def _part_of_a_shape(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    start = node.attributes.get_int("start", 0)
    end = node.attributes.get_int("end", _LARGEST)
    if start == 0 and end == _LARGEST:
        drop(node, "start", "end")
        return None
    return [op.Slice(op.Shape(node.inputs[0]), integers(op, [start]), integers(op, [end]))]


@adapter("Reshape", 14)
def _without_allowed_zeros(op: Emitter, node: ir.Node) -> None:
    """A computed zero is that of an empty input, which lower sets reshape to no other numbers."""
    shape = constant_ints(node.inputs[1])
    if node.attributes.get_int("allowzero", 0) == 1 and shape is not None and 0 in shape:
        raise NotInOperatorSetError("its shape holds a zero that means zero (`allowzero`)")
    drop(node, "allowzero")


@adapter("Split", 18)
def _sizes_of_parts(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    """Equal parts, the last one smaller, as sizes."""
    if input_at(node, 1) is not None:
        return None
    x, count = node.inputs[0], len(node.outputs)
    assert x is not None
    axis = node.attributes.get_int("axis", 0)
    drop(node, "num_outputs")
    size = None if x.shape is None else x.shape[axis]
    if isinstance(size, int) and size % count == 0:
        return None
    if isinstance(size, int):
        part = -(-size // count)
        sizes = integers(op, [*[part] * (count - 1), size - part * (count - 1)])
    else:
        sizes = _computed_parts(op, x, axis, count)
    made = emit_again(op, node, [x, sizes])
    return made if isinstance(made, tuple) else (made,)


def _computed_parts(op: Emitter, x: ir.Value, axis: int, count: int) -> ir.Value:
    """Sizes of equal parts of an axis whose size is known when the graph runs."""
    size = op.Gather(op.Shape(x), integers(op, [axis]))
    part = op.Div(op.Add(size, integers(op, [count - 1])), integers(op, [count]))
    first = op.Expand(part, integers(op, [count - 1]))
    last: ir.Value = op.Sub(size, op.Mul(part, integers(op, [count - 1])))
    return op.Concat(first, last, axis=0) if count > 1 else last


@adapter("Pad", 19)
def _wrap(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    """Padding that goes round: every index modulo the size of its axis."""
    if node.attributes.get_string("mode", "constant") != "wrap":
        return None
    x, pads, axes = node.inputs[0], constant_ints(node.inputs[1]), input_at(node, 3)
    assert x is not None
    over = list(range(rank_of(x))) if axes is None else constant_ints(axes)
    if pads is None or over is None:
        raise NotInOperatorSetError('its mode is "wrap", and its widths are computed')
    for place, axis in enumerate(over):
        before, after = pads[place], pads[place + len(over)]
        if before == after == 0:
            continue
        size = op.Gather(op.Shape(x), op.constant(np.array(axis, np.int64)))
        end = op.Add(size, op.constant(np.array(after, np.int64)))
        start, one = (op.constant(np.array(i, np.int64)) for i in (-before, 1))
        x = op.Gather(x, op.Mod(op.Range(start, end, one), size), axis=axis)
    return [op.Identity(x)]


@adapter("Pad", 18)
def _pads_of_all_axes(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    axes = input_at(node, 3)
    if axes is None:
        node.resize_inputs(min(len(node.inputs), 3))
        return None
    over, x = constant_ints(axes), node.inputs[0]
    assert x is not None
    rank = rank_of(x)
    if over is None:
        raise NotInOperatorSetError("its axes are computed, and lower sets pad all axes")
    places = [axis % rank for axis in over]
    places += [place + rank for place in places]
    known = constant_ints(node.inputs[1])
    if known is None:
        zeros = integers(op, [0] * 2 * rank)
        pads = op.ScatterElements(zeros, integers(op, places), node.inputs[1])
    else:
        spread = dict(zip(places, known, strict=True))
        pads = integers(op, [spread.get(place, 0) for place in range(2 * rank)])
    return [emit_again(op, node, [x, pads, *node.inputs[2:3]])]
