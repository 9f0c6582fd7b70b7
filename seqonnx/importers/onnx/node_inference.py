"""Shape inference for one node: the types of its outputs, and their elements where they are few.

Networks repeat their blocks, so that most questions about a node were asked before: of 3,000 nodes
in a chain of equal blocks six differ. The answers are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from seqonnx.graph.versions import IR_VERSION

FEW: Final = 64
"""Most elements of a value whose elements are followed: shapes have fewer."""
_KEPT: Final = 1 << 12
"""How many answers are kept."""
_LARGEST: Final = 1 << 12
"""Bytes of the largest node whose answer is kept: attributes of a file can be of any size."""

Types = tuple[onnx.TypeProto | None, ...]
Arrays = tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True)
class InferenceOperand:
    """An input of a node, as far as it is known.

    Args:
        type: its type, serialized; None if that is not known.
        array: its elements, where they are few and known.
        content: what tells two arrays apart; see `operand`.
    """

    type: bytes | None
    array: npt.NDArray[Any] | None = field(default=None, compare=False)
    content: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Question:
    """A node by itself: inputs are called `i0`, `i1`, outputs `o0`, `o1`; see `question`."""

    version: int
    node: bytes
    outputs: int
    operands: tuple[InferenceOperand | None, ...]

    @property
    def is_kept(self) -> bool:
        """Whether its answer takes little memory."""
        arrays = [o.array for o in self.operands if o is not None and o.array is not None]
        return len(self.node) <= _LARGEST and not any(a.dtype.hasobject for a in arrays)


def operand(kind: bytes | None, array: npt.NDArray[Any] | None = None) -> InferenceOperand:
    """Return an input of a node.

    Args:
        kind: its type, serialized; None if that is not known.
        array: its elements, at most `FEW`; None if they are not known.
    """
    if array is None:
        return InferenceOperand(kind)
    return InferenceOperand(kind, array, (array.dtype, array.shape, array.tobytes()))


def question(
    version: int,
    op_type: str,
    operands: Sequence[InferenceOperand | None],
    outputs: Sequence[bool],
    attributes: Iterable[onnx.AttributeProto],
) -> Question:
    """Return a question about a node of a standard operator.

    Args:
        version: operator set.
        op_type: operator.
        operands: its inputs; None for one that is left out.
        outputs: whether each output is wanted.
        attributes: its attributes; none of them is a graph.
    """
    node = onnx.NodeProto(
        op_type=op_type,
        input=["" if o is None else f"i{i}" for i, o in enumerate(operands)],
        output=[f"o{i}" if wanted else "" for i, wanted in enumerate(outputs)],
        attribute=attributes,
    )
    return Question(version, node.SerializeToString(), len(outputs), tuple(operands))


def types_of(asked: Question) -> Types:
    """Return the types of the outputs of a node; None where they are not known. Do not change them.

    Raises:
        onnx.shape_inference.InferenceError: if the node cannot take such inputs.
        onnx.defs.SchemaError: if the operator set has no such operator.
    """
    return (_types if asked.is_kept else _types.__wrapped__)(asked)


def elements_of(asked: Question) -> Arrays | None:
    """Return the outputs of a node, all of whose inputs have known elements.

    Returns:
        Arrays that cannot be changed; None if the reference implementation of ONNX cannot compute
        them, or one has more than `FEW` elements.
    """
    return (_elements if asked.is_kept else _elements.__wrapped__)(asked)


@lru_cache(maxsize=_KEPT)
def _types(asked: Question) -> Types:
    given = {f"i{i}": o for i, o in enumerate(asked.operands) if o is not None}
    found = onnx.shape_inference.infer_node_outputs(
        onnx.defs.get_schema(onnx.NodeProto.FromString(asked.node).op_type, asked.version, ""),
        onnx.NodeProto.FromString(asked.node),
        {
            name: onnx.TypeProto.FromString(o.type)
            for name, o in given.items()
            if o.type is not None
        },
        {
            name: numpy_helper.from_array(o.array, name)
            for name, o in given.items()
            if o.type is not None and o.array is not None
        },
        opset_imports=[helper.make_opsetid("", asked.version)],
        ir_version=IR_VERSION,
    )
    return tuple(found.get(f"o{i}") for i in range(asked.outputs))


@lru_cache(maxsize=_KEPT)
def _elements(asked: Question) -> Arrays | None:
    from onnx.reference import ReferenceEvaluator

    node = onnx.NodeProto.FromString(asked.node)
    feeds = {
        f"i{i}": o.array
        for i, o in enumerate(asked.operands)
        if o is not None and o.array is not None
    }
    values = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), list(array.shape)
        )
        for name, array in feeds.items()
    ]
    results = [onnx.ValueInfoProto(name=key) for key in node.output]
    graph = helper.make_graph([node], "constant", values, results)
    opset = helper.make_opsetid("", asked.version)
    single = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    try:
        found: Sequence[Any] = ReferenceEvaluator(single).run(None, feeds)  # type: ignore[assignment]  # declared as a dict too
    except Exception:  # a file may hold anything; what cannot be computed stays unknown
        return None
    arrays = tuple(np.array(value) for value in found)
    for array in arrays:
        array.setflags(write=False)
    return arrays if all(array.size <= FEW for array in arrays) else None
