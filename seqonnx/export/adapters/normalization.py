"""Normalizations, by their definitions in the standard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from seqonnx.export.adapters.registry import (
    NotInOperatorSetError,
    adapter,
    drop,
    integers,
    number,
    rank_of,
)
from seqonnx.graph import Emitter
from seqonnx.graph.reading import input_at


def _widened(op: Emitter, node: ir.Node) -> tuple[ir.Value, ir.DataType]:
    """The first input in the dtype that statistics are computed in, and its own dtype."""
    x = node.inputs[0]
    if x is None or x.dtype is None:
        raise NotInOperatorSetError("the dtype of its input is not known")
    stash = ir.DataType(node.attributes.get_int("stash_type", ir.DataType.FLOAT))
    return (x if x.dtype == stash else op.Cast(x, to=stash)), x.dtype


def _back(op: Emitter, value: Any, dtype: ir.DataType) -> Any:
    return value if value.dtype == dtype else op.Cast(value, to=dtype)


def _axes_from(node: ir.Node) -> list[int]:
    """The axes that a normalization goes over, counted from the last."""
    assert node.inputs[0] is not None
    rank, axis = rank_of(node.inputs[0]), node.attributes.get_int("axis", -1)
    return list(range(axis if axis < 0 else axis - rank, 0))


@adapter("LayerNormalization", 17)
def _layer_normalization(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    """In the order in which ONNX Runtime finds its own kernel for it."""
    x, dtype = _widened(op, node)
    axes = _axes_from(node)
    epsilon = number(op, node.attributes.get_float("epsilon", 1e-5), x)
    mean = op.emit("ReduceMean", [x], {"axes": axes})
    centred = op.Sub(x, mean)
    square = op.Pow(centred, number(op, 2.0, x))
    variance = op.emit("ReduceMean", [square], {"axes": axes})
    deviation = op.Sqrt(op.Add(variance, epsilon))
    y = op.Mul(_back(op, op.Div(centred, deviation), dtype), node.inputs[1])
    bias = input_at(node, 2)
    results = [y if bias is None else op.Add(y, bias)]
    if len(node.outputs) > 1:
        results.append(mean)
    if len(node.outputs) > 2:
        results.append(op.Reciprocal(deviation))
    return results


@adapter("RMSNormalization", 23)
def _rms_normalization(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    x, dtype = _widened(op, node)
    square = op.ReduceMean(op.Mul(x, x), integers(op, _axes_from(node)))
    epsilon = number(op, node.attributes.get_float("epsilon", 1e-5), x)
    y = op.Div(x, op.Sqrt(op.Add(square, epsilon)))
    return [op.Mul(_back(op, y, dtype), node.inputs[1])]


@adapter("GroupNormalization", 21)
def _group_normalization(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    """Each group as one row; below, the operator had a scale for each group, not each channel."""
    x, dtype = _widened(op, node)
    groups, rank = node.attributes.get_int("num_groups", 1), rank_of(x)
    rows = op.Reshape(x, integers(op, [0, groups, -1]))
    last = integers(op, [-1])
    centred = op.Sub(rows, op.ReduceMean(rows, last))
    variance = op.ReduceMean(op.Mul(centred, centred), last)
    epsilon = number(op, node.attributes.get_float("epsilon", 1e-5), x)
    normalized = op.Div(centred, op.Sqrt(op.Add(variance, epsilon)))
    y = _back(op, op.Reshape(normalized, op.Shape(x)), dtype)
    shape = integers(op, [1, -1, *[1] * (rank - 2)])
    scale, bias = (op.Reshape(node.inputs[i], shape) for i in (1, 2))
    return [op.Add(op.Mul(y, scale), bias)]


@adapter("GroupNormalization", 18)
def _first_group_normalization(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    raise NotInOperatorSetError("files with the operator as it first was are not lowered")


@adapter("BatchNormalization", 14)
def _inference_only(op: Emitter, node: ir.Node) -> None:
    if node.attributes.get_int("training_mode", 0) != 0:
        raise NotInOperatorSetError("it computes statistics of the batch (`training_mode`)")
    drop(node, "training_mode")
