"""What ONNX says of one node: sizes of its outputs, and the whole numbers that shapes are made of.

For a graph that is looked at node by node, because each node may have to change before the next
can be understood.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnx.reference
import onnx_ir as ir

from seqonnx.graph.reading import is_standard
from seqonnx.graph.versions import IR_VERSION, OPSET

Numbers = npt.NDArray[Any]

_LIKE_INPUT: Final = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""Operators whose result has the shape of the input, which onnx 1.23 cannot infer."""

_OF_SHAPES: Final = frozenset(
    {"Add", "Cast", "Concat", "ConstantOfShape", "Div", "Equal", "Gather", "Identity", "Max",
     "Min", "Mod", "Mul", "Neg", "Reshape", "Slice", "Squeeze", "Sub", "Unsqueeze", "Where"}
)  # fmt: skip
"""Operators that shapes are computed with."""

_FEW: Final = 64
"""More numbers than these are no shape."""


@dataclass(frozen=True)
class Known:
    """What is known of a tensor.

    Args:
        dtype: its element type.
        sizes: its sizes; None if one of them is not known.
        numbers: its elements, where they are few whole numbers that are known.
    """

    dtype: ir.DataType | None = None
    sizes: tuple[int, ...] | None = None
    numbers: Numbers | None = None


def outputs_of(node: ir.Node, inputs: Sequence[Known | None]) -> list[Known]:
    """Return what ONNX can say of the outputs of a node.

    Args:
        node: the node.
        inputs: what is known of its inputs; None for one that is left out.

    Returns:
        One entry for each output.

    Raises:
        onnx.shape_inference.InferenceError: if the node cannot take such inputs.
    """
    unknown = [Known(value.dtype) for value in node.outputs]
    if not is_standard(node) or any(i is not None and i.sizes is None for i in inputs):
        return unknown
    if node.op_type in _LIKE_INPUT and inputs[0] is not None:
        return [Known(node.outputs[0].dtype, inputs[0].sizes), *unknown[1:]]
    if any(a.type in {ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS} for a in _own(node)):
        return unknown
    found = _inferred(node, inputs)
    sizes = found[0][1]
    few = sizes is not None and math.prod(sizes) <= _FEW
    numbers = _numbers(node, inputs) if few else None
    return [
        Known(value.dtype or dtype, sizes, numbers if i == 0 else None)
        for i, (value, (dtype, sizes)) in enumerate(zip(node.outputs, found, strict=True))
    ]


def constant_numbers(value: ir.Value) -> Numbers | None:
    """The elements of a value that is constant and may be part of a shape, else None."""
    node = value.producer()
    if value.is_graph_input() or (node is not None and node.op_type != "Constant"):
        return None
    tensor = value.const_value
    if node is not None:
        attributes = node.attributes
        tensor = attributes["value"].as_tensor() if "value" in attributes else None
        for name in ("value_int", "value_ints"):
            if name in attributes:
                return few_numbers(np.asarray(attributes[name].value, np.int64))
    return None if tensor is None or tensor.size > _FEW else few_numbers(tensor.numpy())


def few_numbers(array: Numbers | None) -> Numbers | None:
    """The array if it may be part of a shape, else None."""
    small = array is not None and array.size <= _FEW and array.dtype.kind in "bi"
    return array if small else None


def _own(node: ir.Node) -> list[ir.Attr]:
    return list(node.attributes.values())


def _inferred(
    node: ir.Node, inputs: Sequence[Known | None]
) -> list[tuple[ir.DataType | None, tuple[int, ...] | None]]:
    """Element types and sizes of the outputs."""
    names = ["" if known is None else f"i{i}" for i, known in enumerate(inputs)]
    results = [f"o{i}" for i in range(len(node.outputs))]
    proto = onnx.helper.make_node(node.op_type, names, results)
    proto.attribute.extend(ir.to_proto(attribute) for attribute in _own(node))
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for name, known in zip(names, inputs, strict=True):
        if known is not None and known.dtype is not None:
            types[name] = onnx.helper.make_tensor_type_proto(int(known.dtype), known.sizes)
            if known.numbers is not None:
                data[name] = onnx.numpy_helper.from_array(known.numbers, name)
    inferred = onnx.shape_inference.infer_node_outputs(
        onnx.defs.get_schema(node.op_type, OPSET, ""), proto, types, data,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
    )  # fmt: skip
    return [_read(inferred.get(name)) for name in results]


def _read(kind: onnx.TypeProto | None) -> tuple[ir.DataType | None, tuple[int, ...] | None]:
    """Element type and sizes in a message."""
    if kind is None or not kind.HasField("tensor_type"):
        return None, None
    tensor = kind.tensor_type
    dtype = ir.DataType(tensor.elem_type) if tensor.elem_type else None
    if not tensor.HasField("shape") or any(not d.HasField("dim_value") for d in tensor.shape.dim):
        return dtype, None
    return dtype, tuple(int(d.dim_value) for d in tensor.shape.dim)


def _numbers(node: ir.Node, inputs: Sequence[Known | None]) -> Numbers | None:
    """The elements of the first output, where it is a part of a shape."""
    first = inputs[0] if len(inputs) > 0 else None
    if node.op_type == "Shape" and first is not None and first.sizes is not None:
        end = node.attributes.get_int("end", len(first.sizes))
        return np.asarray(first.sizes[node.attributes.get_int("start", 0) : end], np.int64)
    arrays = [None if known is None else known.numbers for known in inputs]
    given = [array for array, known in zip(arrays, inputs, strict=True) if known is not None]
    if node.op_type not in _OF_SHAPES or any(array is None for array in given):
        return None
    proto = ir.to_proto(node)
    feeds = {str(n): a for n, a in zip(proto.input, arrays, strict=True) if a is not None}
    results: Any
    try:
        results = onnx.reference.ReferenceEvaluator(proto, opsets={"": OPSET}).run(None, feeds)
    except Exception:
        return None  # then these numbers are not known; the node itself fails where it runs
    return few_numbers(np.asarray(results[0]))
