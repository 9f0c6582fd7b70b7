"""Compute the small constant values that shapes depend on.

Exporters write shapes as arithmetic: Shape, Gather, Mul, Concat, Reshape. Inference follows only
part of it, so what is constant is computed here, with the reference implementation of ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seqonnx.graph.reading import is_standard
from seqonnx.importers.onnx.constants import KnownValue, compute, constant_of
from seqonnx.report.polynomial import GraphShape
from seqonnx.report.read import sparse_tensors, stored_tensors
from seqonnx.report.tensors import describe_type

_NAMES = """
    Add Cast Ceil Concat ConstantOfShape Div Equal Expand Floor Gather Identity Max Min Mod Mul
    Neg Not Range ReduceMax ReduceMin ReduceProd ReduceSum Reshape ScatterElements ScatterND Size
    Slice Split Squeeze Sub Transpose Unsqueeze Where
"""
_ARITHMETIC = frozenset(_NAMES.split())


def fold_shapes(model: onnx.ModelProto) -> dict[int, onnx.NodeProto]:
    """Replace nodes of the main graph that compute small constants by `Constant`, in place.

    Args:
        model: with inferred shapes; Shape of a static one is a constant too.

    Returns:
        The nodes as they were, by index, to be put back after inference.
    """
    graph = model.graph
    values = (*graph.input, *graph.value_info, *graph.output)
    shapes = {value.name: describe_type(value.type)[1] for value in values}
    known: dict[str, KnownValue] = {}
    sparse = {name: tuple(tensor.dims) for name, tensor in sparse_tensors(graph)}
    for name, tensor in stored_tensors(graph):
        shapes[name] = sparse.get(name, tuple(tensor.dims))
        constant = None if name in sparse else constant_of(tensor)
        if constant is not None and constant.array is not None:
            known[name] = constant
    replaced = {}
    for index, node in enumerate(graph.node):
        value = _value(node, known, shapes, model)
        if value is None:
            continue
        known[node.output[0]] = KnownValue.of(value)
        replaced[index] = onnx.NodeProto()
        replaced[index].CopyFrom(node)
        constant = numpy_helper.from_array(np.asarray(value, order="C"))
        node.CopyFrom(helper.make_node("Constant", [], [node.output[0]], value=constant))
    return replaced


def _value(
    node: onnx.NodeProto,
    known: Mapping[str, KnownValue],
    shapes: Mapping[str, GraphShape],
    model: onnx.ModelProto,
) -> np.ndarray | None:
    """Return the constant that a node computes, if it has few elements; else None."""
    if not is_standard(node) or len(node.output) != 1 or not node.input:
        return None
    if node.op_type == "Shape":
        return _shape(node, shapes.get(node.input[0]))
    names = [name for name in node.input if name]
    if node.op_type not in _ARITHMETIC or not names or not all(name in known for name in names):
        return None
    (found,) = compute(node, {name: known[name] for name in names}, model.opset_import)
    return None if found is None else found.array


def _shape(node: onnx.NodeProto, shape: GraphShape) -> np.ndarray | None:
    """Return what Shape gives, if the dimensions it takes are numbers."""
    if shape is None:
        return None
    attributes: dict[str, int] = {a.name: a.i for a in node.attribute}
    dims = shape[attributes.get("start", 0) : attributes.get("end", len(shape))]
    numbers = [dim for dim in dims if isinstance(dim, int)]
    return np.array(numbers, np.int64) if len(numbers) == len(dims) else None
