"""Compute the small constant values that shapes depend on.

Exporters write shapes as arithmetic: Shape, Gather, Mul, Concat, Reshape. Inference follows only
part of it, so what is constant is computed here, with the reference implementation of ONNX.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from seqonnx.report.polynomial import Shape
from seqonnx.report.read import sparse_tensors, stored_tensors
from seqonnx.report.tensors import describe_type

_MOST_ELEMENTS = 64

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
    known: dict[str, np.ndarray] = {}
    sparse = {name: tuple(tensor.dims) for name, tensor in sparse_tensors(graph)}
    for name, tensor in stored_tensors(graph):
        shapes[name] = sparse.get(name, tuple(tensor.dims))
        array = None if name in sparse else _array(tensor)
        if array is not None:
            known[name] = array
    replaced = {}
    for index, node in enumerate(graph.node):
        value = _value(node, known, shapes, model)
        if value is None or value.size > _MOST_ELEMENTS:
            continue
        known[node.output[0]] = value
        replaced[index] = onnx.NodeProto()
        replaced[index].CopyFrom(node)
        constant = numpy_helper.from_array(np.asarray(value, order="C"))
        node.CopyFrom(helper.make_node("Constant", [], [node.output[0]], value=constant))
    return replaced


def _array(tensor: onnx.TensorProto) -> np.ndarray | None:
    """Return the values if they are few, numbers, and in the file itself."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    if int(np.prod(tensor.dims, dtype=np.int64)) > _MOST_ELEMENTS:
        return None
    try:
        return numpy_helper.to_array(tensor)
    except (
        KeyError,
        TypeError,
        ValueError,
    ):  # dimensions, type and data of a damaged tensor disagree
        return None


def _value(
    node: onnx.NodeProto,
    known: Mapping[str, np.ndarray],
    shapes: Mapping[str, Shape],
    model: onnx.ModelProto,
) -> np.ndarray | None:
    """Return the constant that a node computes, or None."""
    if node.domain not in {"", "ai.onnx"} or len(node.output) != 1 or not node.input:
        return None
    if node.op_type == "Shape":
        return _shape(node, shapes.get(node.input[0]))
    names = [name for name in node.input if name]
    if node.op_type not in _ARITHMETIC or not names or not all(name in known for name in names):
        return None
    if node.op_type == "ConstantOfShape" and np.prod(known[names[0]]) > _MOST_ELEMENTS:
        return None
    return _run(node, {name: known[name] for name in names}, model)


def _shape(node: onnx.NodeProto, shape: Shape) -> np.ndarray | None:
    """Return what Shape gives, if the dimensions it takes are numbers."""
    if shape is None:
        return None
    attributes: dict[str, int] = {a.name: a.i for a in node.attribute}
    dims = shape[attributes.get("start", 0) : attributes.get("end", len(shape))]
    numbers = [dim for dim in dims if isinstance(dim, int)]
    return np.array(numbers, np.int64) if len(numbers) == len(dims) else None


def _run(
    node: onnx.NodeProto, feeds: Mapping[str, np.ndarray], model: onnx.ModelProto
) -> np.ndarray | None:
    """Run one node on the reference implementation; None if that cannot."""
    from onnx.reference import ReferenceEvaluator

    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), list(array.shape)
        )
        for name, array in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=node.output[0])]
    graph = helper.make_graph([node], "constant", inputs, outputs)
    single = helper.make_model(graph, opset_imports=model.opset_import, ir_version=8)
    try:
        results: Sequence[object] = ReferenceEvaluator(single).run(None, dict(feeds))  # type: ignore[assignment]
    except Exception:  # a file may hold anything; what cannot be computed stays unknown
        return None
    return np.asarray(results[0])
