"""What a model computes from constants alone, known before anything computes it.

A file of 173 bytes can ask for a Range of 11 GB, and everything that reads a model computes its
constants: ONNX Runtime when it opens a session, the optimizer when shapes are specialised. So
sizes are inferred first, one node at a time, and a model that asks for too much is refused.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnx.inliner import inline_local_functions

from seqonnx.errors import ModelFileError
from seqonnx.graph.soundness import MOST_AXES, title_of

LIMIT = 1 << 28
"""Bytes that may be computed from constants by a model without weights.

Masks and position tables of a transformer for 4,096 tokens take a quarter of it.
"""
EXPANSION = 64
"""How many times the bytes of its weights a model may compute on top.

Weights of 4 bits become eight times as large, in a few operators each.
"""
FEW = 64
"""Most elements of a constant whose values are followed: shapes have fewer."""
MOST_TURNS = 1 << 24
"""Most turns of loops that never end early. One turn takes at least a microsecond."""

_TAKES_LISTS: Mapping[str, tuple[int, ...]] = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "Reshape": (1,),
    "Slice": (1, 2, 3, 4),
    "Squeeze": (1,),
    "Tile": (1,),
    "Unsqueeze": (1,),
}
"""Inputs that have an entry per axis; inference makes lists of them, and looks them up."""

_STANDARD = frozenset({"", "ai.onnx"})
_DRAWN = frozenset({"Bernoulli", "Dropout", "Multinomial"})
_LARGEST_OPSETS = 64


@dataclass(frozen=True)
class Constant:
    """A value that depends on nothing but the file.

    Args:
        type: its type, with its shape as far as it is known.
        array: its elements where they are few.
    """

    type: onnx.TypeProto
    array: npt.NDArray[Any] | None = None

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> Constant:
        """Return an array of few elements as a constant."""
        data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        return cls(helper.make_tensor_type_proto(data_type, array.shape), array)

    @property
    def elements(self) -> int | None:
        """Number of elements; None if a size is not known."""
        tensor = self.type.tensor_type
        dims = tensor.shape.dim
        if not tensor.HasField("shape") or any(not d.HasField("dim_value") for d in dims):
            return None
        return math.prod(max(int(d.dim_value), 0) for d in dims)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes; 0 if that is not known."""
        return (self.elements or 0) * item_bytes(self.type.tensor_type.elem_type)


Scope = ChainMap[str, Constant]


def item_bytes(data_type: int) -> int:
    """Bytes of one element; what is smaller than a byte is computed with as a byte."""
    try:
        return max(int(helper.tensor_dtype_to_np_dtype(data_type).itemsize), 1)
    except (KeyError, ValueError, TypeError):
        return 1


def constant_of(tensor: onnx.TensorProto) -> Constant:
    """Return a stored tensor as a constant."""
    kind = helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
    found = Constant(kind)
    elements = found.elements
    if elements is None or elements > FEW or min(tensor.dims, default=0) < 0:
        return found
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return found
    try:
        return Constant(kind, numpy_helper.to_array(tensor))
    except Exception:  # dimensions, type and data of a damaged tensor disagree
        return found


def compute(
    node: onnx.NodeProto,
    inputs: Mapping[str, Constant],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> list[Constant | None]:
    """Return the outputs of a node of a standard operator, whose inputs are all constants.

    Sizes are inferred; elements are computed where they are few, and not otherwise.

    Args:
        node: the node.
        inputs: its inputs by name.
        opsets: operator sets of the model.
    """
    types = _infer(node, inputs, opsets)
    found = [None if kind is None else Constant(kind) for kind in types]
    few = all(c is not None and c.elements is not None and c.elements <= FEW for c in found)
    arrays = {name: c.array for name, c in inputs.items() if c.array is not None}
    if not few or len(arrays) < len(inputs) or node.op_type in _DRAWN:
        return found
    values = _run(node, arrays, opsets)
    if values is None:
        return found
    return [
        None if c is None else Constant(c.type, value)
        for c, value in zip(found, values, strict=True)
    ]


def refuse_large_constants(model: onnx.ModelProto, name: str, stored: int | None = None) -> None:
    """Raise a ModelFileError if a model computes too much from constants, before it does.

    Args:
        model: the model; it is not changed.
        name: what errors call it.
        stored: bytes of its weights; by default those that are in the message.
    """
    held = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    allowed = LIMIT + EXPANSION * (held if stored is None else stored)
    total = 0
    for node, made, turns in _walk(model, name):
        total += made
        if total > allowed:
            raise ModelFileError(
                f"{name} is refused: {title_of(node)} makes {made:,} bytes from constants alone; "
                f"a model of this size may make {allowed:,} in all. Compute it outside the model "
                "and pass it as an input."
            )
        if turns > MOST_TURNS:
            raise ModelFileError(
                f"{name} is refused: {title_of(node)} takes {turns:,} turns, whatever its inputs "
                f"are; at most {MOST_TURNS:,} are run."
            )


def refuse_long_axes(model: onnx.ModelProto, name: str) -> None:
    """Raise a ModelFileError if shape inference would make a list of far too many axes.

    Args:
        model: the model; it is not changed.
        name: what errors call it.
    """
    for _ in _walk(model, name):
        pass


def _walk(model: onnx.ModelProto, name: str) -> Iterator[tuple[onnx.NodeProto, int, int]]:
    """Nodes, also in bodies, each with the bytes of its constants and the turns that it takes."""
    model = _inlined(model)
    # Bodies see the constants around them; each body has its own in a scope of its own.
    stack: list[tuple[onnx.GraphProto, Scope, int]] = [(model.graph, ChainMap(), 1)]
    while len(stack) > 0:
        graph, scope, turns = stack.pop()
        scope.update({tensor.name: constant_of(tensor) for tensor in graph.initializer})
        lengths = _lengths(graph)
        for node in graph.node:
            _refuse_axes(node, scope, lengths, name)
            found = dict(_outputs(node, scope, model.opset_import))
            scope.update(found)
            inner = turns * _turns(node, scope)
            yield node, sum(constant.nbytes for constant in found.values()), inner
            stack += [(a.g, scope.new_child(), inner) for a in node.attribute if a.HasField("g")]


def _inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its functions expanded, without the elements of its large weights."""
    if len(model.functions) == 0:
        return model
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    light.functions.extend(model.functions)
    light.graph.name = model.graph.name
    for field in ("node", "input", "output", "value_info"):
        getattr(light.graph, field).extend(getattr(model.graph, field))
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) <= FEW * 8:
            light.graph.initializer.append(tensor)
        else:
            light.graph.initializer.add(
                name=tensor.name, dims=tensor.dims, data_type=tensor.data_type
            )
    try:
        inlined: onnx.ModelProto = inline_local_functions(light)
        return inlined
    except Exception:  # a function that is wrong is refused by whatever expands it
        return model


def _lengths(graph: onnx.GraphProto) -> dict[str, int]:
    """Lengths of the vectors that a graph declares."""
    found: dict[str, int] = {}
    for value in (*graph.input, *graph.value_info):
        dims = value.type.tensor_type.shape.dim
        if len(dims) == 1:
            found[value.name] = int(dims[0].dim_value)
    return found


def _refuse_axes(node: onnx.NodeProto, scope: Scope, lengths: Mapping[str, int], name: str) -> None:
    """Refuse a list of more axes than there are."""
    for index in _TAKES_LISTS.get(node.op_type, ()):
        key = node.input[index] if index < len(node.input) else ""
        known = scope.get(key)
        count = lengths.get(key, 0) if known is None else known.elements or 0
        if count > MOST_AXES:
            raise ModelFileError(
                f"{name} is refused: input {index} of {title_of(node)} has {count:,} entries, one "
                f"per axis; a value has at most {MOST_AXES} axes."
            )


def _outputs(
    node: onnx.NodeProto, scope: Scope, opsets: Sequence[onnx.OperatorSetIdProto]
) -> Iterator[tuple[str, Constant]]:
    """Outputs of a node by name, if they are constants."""
    if node.domain not in _STANDARD or any(a.HasField("g") for a in node.attribute):
        return
    if node.op_type == "Constant":
        for attribute in node.attribute:
            if attribute.HasField("t") and len(node.output) > 0:
                yield node.output[0], constant_of(attribute.t)
                return
    names = [name for name in node.input if name]
    if not all(name in scope for name in names):
        return
    found = compute(node, {name: scope[name] for name in names}, opsets)
    for key, constant in zip(node.output, found, strict=True):
        if constant is not None and key:
            yield key, constant


def _infer(
    node: onnx.NodeProto,
    inputs: Mapping[str, Constant],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> list[onnx.TypeProto | None]:
    """Types of the outputs of a node; None where they are not known."""
    versions = [o.version for o in opsets if o.domain in _STANDARD]
    if len(versions) == 0 or node.domain not in _STANDARD:
        return [None] * len(node.output)
    try:
        types = onnx.shape_inference.infer_node_outputs(
            onnx.defs.get_schema(node.op_type, versions[0], ""),
            node,
            {name: constant.type for name, constant in inputs.items()},
            {
                name: numpy_helper.from_array(constant.array, name)
                for name, constant in inputs.items()
                if constant.array is not None
            },
            opset_imports=[helper.make_opsetid("", versions[0])],
            ir_version=8,
        )
    except Exception:  # a node that is wrong is refused by whatever infers the whole graph
        return [None] * len(node.output)
    return [types.get(key) for key in node.output]


def _run(
    node: onnx.NodeProto,
    feeds: Mapping[str, npt.NDArray[Any]],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> list[npt.NDArray[Any]] | None:
    """Run one node on the reference implementation; None if that cannot."""
    from onnx.reference import ReferenceEvaluator

    values = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), list(array.shape)
        )
        for name, array in feeds.items()
    ]
    results = [onnx.ValueInfoProto(name=key) for key in node.output]
    graph = helper.make_graph([node], "constant", values, results)
    single = helper.make_model(graph, opset_imports=list(opsets)[:_LARGEST_OPSETS], ir_version=8)
    try:
        found: Sequence[Any] = ReferenceEvaluator(single).run(None, dict(feeds))  # type: ignore[assignment]  # declared as a dict too
    except Exception:  # a file may hold anything; what cannot be computed stays unknown
        return None
    arrays = [np.asarray(value) for value in found]
    return arrays if all(array.size <= FEW for array in arrays) else None


def _turns(node: onnx.NodeProto, scope: Scope) -> int:
    """How often a Loop certainly runs its body; 1 for what is no Loop or may end early."""
    if node.op_type != "Loop" or node.domain not in _STANDARD:
        return 1
    count = scope.get(node.input[0]) if len(node.input) > 0 and node.input[0] else None
    if count is None or count.array is None or count.array.size != 1:
        return 1
    go = node.input[1] if len(node.input) > 1 else ""
    body = next((a.g for a in node.attribute if a.name == "body"), None)
    if body is None or not _stays(go, scope) or not _goes_on(body):
        return 1
    return max(int(count.array.reshape(()).item()), 1)


def _stays(name: str, scope: Mapping[str, Constant]) -> bool:
    """Whether a condition is true for sure: absent, or a constant."""
    if not name:
        return True
    known = scope.get(name)
    return known is not None and known.array is not None and bool(known.array.all())


def _goes_on(body: onnx.GraphProto) -> bool:
    """Whether the body of a Loop gives the condition on as it got it, or a true constant."""
    if len(body.output) == 0 or len(body.input) < 2:
        return False
    makers = {node.output[0]: node for node in body.node if len(node.output) > 0}
    name = body.output[0].name
    for _ in range(len(body.node)):
        node = makers.get(name)
        if node is None or node.op_type != "Identity" or len(node.input) == 0:
            break
        name = node.input[0]
    if name == body.input[1].name:
        return True
    stored = {tensor.name: constant_of(tensor) for tensor in body.initializer}
    made = makers.get(name)
    if made is not None and made.op_type == "Constant":
        stored.update(_outputs(made, ChainMap(), []))
    return name in stored and _stays(name, stored)
