"""Sizes of the outputs of one node, and the whole numbers that shapes are made of.

For a graph that is looked at node by node, because each node may have to change before the next
can be understood.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from seqonnx.graph.reading import is_standard
from seqonnx.graph.versions import OPSET
from seqonnx.importers.onnx.node_inference import (
    FEW,
    InferenceOperand,
    Question,
    elements_of,
    operand,
    question,
    types_of,
)

Numbers = npt.NDArray[Any]

_LIKE_INPUT: Final = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""Operators whose result has the shape of the input, which onnx 1.23 cannot infer."""

_OF_SHAPES: Final = frozenset(
    {"Add", "Cast", "Concat", "ConstantOfShape", "Div", "Equal", "Gather", "Identity", "Max",
     "Min", "Mod", "Mul", "Neg", "Reshape", "Slice", "Squeeze", "Sub", "Unsqueeze", "Where"}
)  # fmt: skip
"""Operators that shapes are computed with."""


@dataclass(frozen=True)
class Known:
    """A tensor, as far as it is known.

    Args:
        dtype: number of its kind in ONNX.
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
    asked = _asked(node, inputs)
    found = [_read(kind) for kind in types_of(asked)]
    sizes = found[0][1]
    few = sizes is not None and math.prod(sizes) <= FEW
    numbers = _numbers(node, inputs, asked) if few else None
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
    return None if tensor is None or tensor.size > FEW else few_numbers(tensor.numpy())


def few_numbers(array: Numbers | None) -> Numbers | None:
    """The array if it may be part of a shape, else None."""
    small = array is not None and array.size <= FEW and array.dtype.kind in "bi"
    return array if small else None


def _own(node: ir.Node) -> list[ir.Attr]:
    return list(node.attributes.values())


def _asked(node: ir.Node, inputs: Sequence[Known | None]) -> Question:
    """The question about a node with such inputs."""
    attributes = []
    for attribute in _own(node):
        attributes.append(onnx.AttributeProto())
        ir.serde.serialize_attribute_into(attributes[-1], attribute)
    operands = [None if known is None else _operand(known) for known in inputs]
    return question(OPSET, node.op_type, operands, [True] * len(node.outputs), attributes)


def _operand(known: Known) -> InferenceOperand:
    kind = None if known.dtype is None else _serialized(int(known.dtype), known.sizes)
    return operand(kind, known.numbers)


@lru_cache(maxsize=1 << 12)
def _serialized(dtype: int, sizes: tuple[int, ...] | None) -> bytes:
    """The type of a tensor."""
    kind: bytes = onnx.helper.make_tensor_type_proto(dtype, sizes).SerializeToString()
    return kind


def _read(kind: onnx.TypeProto | None) -> tuple[ir.DataType | None, tuple[int, ...] | None]:
    """Dtype and sizes in a TypeProto."""
    if kind is None or not kind.HasField("tensor_type"):
        return None, None
    tensor = kind.tensor_type
    dtype = ir.DataType(tensor.elem_type) if tensor.elem_type else None
    if not tensor.HasField("shape") or any(not d.HasField("dim_value") for d in tensor.shape.dim):
        return dtype, None
    return dtype, tuple(int(d.dim_value) for d in tensor.shape.dim)


def _numbers(node: ir.Node, inputs: Sequence[Known | None], asked: Question) -> Numbers | None:
    """The elements of the first output, where it is a part of a shape."""
    first = inputs[0] if len(inputs) > 0 else None
    if node.op_type == "Shape" and first is not None and first.sizes is not None:
        end = node.attributes.get_int("end", len(first.sizes))
        return np.asarray(first.sizes[node.attributes.get_int("start", 0) : end], np.int64)
    given = [known for known in inputs if known is not None]
    if node.op_type not in _OF_SHAPES or any(known.numbers is None for known in given):
        return None
    # Where they cannot be computed they are not known; the node itself fails where it runs.
    found = elements_of(asked)
    return None if found is None else few_numbers(found[0])
