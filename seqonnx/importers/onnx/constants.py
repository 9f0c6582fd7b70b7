"""Values of a model that are known before anything computes them.

Sizes are inferred one node at a time, and elements are computed where they are few, as those of
shapes are. Inputs can take part: their elements are not known then, but their sizes are.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnx.inliner import inline_local_functions

from seqonnx.errors import ModelFileError
from seqonnx.graph.reading import STANDARD_DOMAINS, is_op, is_standard
from seqonnx.importers.onnx.node_inference import (
    FEW,
    InferenceOperand,
    Question,
    elements_of,
    operand,
    question,
    types_of,
)
from seqonnx.importers.onnx.soundness import MOST_AXES, title_of

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

_DRAWN = frozenset({"Bernoulli", "Dropout", "Multinomial"})


@dataclass(frozen=True)
class KnownValue:
    """A value whose size is known before anything is computed.

    Args:
        type: its type, with its shape as far as it is known.
        array: its elements where they are few.
        given: whether its elements depend on inputs, and only its type is constant.
    """

    type: onnx.TypeProto
    array: npt.NDArray[Any] | None = None
    given: bool = False

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> KnownValue:
        """Return an array of few elements as a constant."""
        data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        return cls(helper.make_tensor_type_proto(data_type, array.shape), array)

    @cached_property
    def operand(self) -> InferenceOperand:
        """It as an input of a node."""
        return operand(self.type.SerializeToString(), self.array)

    @cached_property
    def elements(self) -> int | None:
        """Number of elements; None if a size is not known."""
        tensor = self.type.tensor_type
        dims = tensor.shape.dim
        if not tensor.HasField("shape") or any(not d.HasField("dim_value") for d in dims):
            return None
        return math.prod(max(int(d.dim_value), 0) for d in dims)

    @cached_property
    def nbytes(self) -> int:
        """Bytes that it takes; 0 if that is not known."""
        return (self.elements or 0) * item_bytes(self.type.tensor_type.elem_type)


KnownScope = ChainMap[str, KnownValue]


def item_bytes(data_type: int) -> int:
    """Bytes of one element; what is smaller than a byte is computed with as a byte."""
    try:
        return max(int(helper.tensor_dtype_to_np_dtype(data_type).itemsize), 1)
    except (KeyError, ValueError, TypeError):
        return 1


def constant_of(tensor: onnx.TensorProto) -> KnownValue:
    """Return a stored tensor as a constant."""
    kind = helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
    found = KnownValue(kind)
    elements = found.elements
    if elements is None or elements > FEW or min(tensor.dims, default=0) < 0:
        return found
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return found
    try:
        return KnownValue(kind, numpy_helper.to_array(tensor))
    except Exception:  # dimensions, type and data of a damaged tensor disagree
        return found


def compute(
    node: onnx.NodeProto,
    inputs: Mapping[str, KnownValue],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> list[KnownValue | None]:
    """Return the outputs of a node of a standard operator, whose inputs all have known sizes.

    Sizes are inferred; elements are computed where they are few, and not otherwise.

    Args:
        node: the node.
        inputs: its inputs by name.
        opsets: operator sets of the model.
    """
    sizes = _sizes(node, inputs)
    if sizes is not None:
        return [KnownValue.of(sizes)]
    asked = _asked(node, inputs, opsets)
    types = _types(node, asked)
    given = any(constant.given for constant in inputs.values())
    found = [None if kind is None else KnownValue(kind, given=given) for kind in types]
    few = all(c is not None and c.elements is not None and c.elements <= FEW for c in found)
    arrays = {name: c.array for name, c in inputs.items() if c.array is not None}
    if asked is None or not few or len(arrays) < len(inputs) or node.op_type in _DRAWN:
        return found
    values = elements_of(asked)
    if values is None:
        return found
    return [
        None if c is None else KnownValue(c.type, value)
        for c, value in zip(found, values, strict=True)
    ]


def _sizes(node: onnx.NodeProto, inputs: Mapping[str, KnownValue]) -> npt.NDArray[Any] | None:
    """The results of Shape and Size, if every size is known."""
    if node.op_type not in {"Shape", "Size"} or len(inputs) != 1 or len(node.output) != 1:
        return None
    (constant,) = inputs.values()
    if constant.elements is None:
        return None
    if node.op_type == "Size":
        return np.array(constant.elements, np.int64)
    dims = [int(dim.dim_value) for dim in constant.type.tensor_type.shape.dim]
    attributes = {a.name: int(a.i) for a in node.attribute}
    return np.array(dims[attributes.get("start", 0) : attributes.get("end", len(dims))], np.int64)


def walk(
    model: onnx.ModelProto,
    name: str,
    inputs: Mapping[str, KnownValue] | None = None,
    *,
    growing: bool = False,
) -> Iterator[tuple[onnx.GraphProto, onnx.NodeProto, dict[str, KnownValue], int]]:
    """Go through the nodes of a model and of the bodies in it, graph after graph.

    Args:
        model: the model; it is not changed.
        name: what errors call it.
        inputs: its inputs as far as they are known.
        growing: whether the body of a Loop whose state grows follows again, for many turns.

    Returns:
        For each node its graph, the outputs that are known, and the turns that it takes.
    """
    model = _inlined(model)
    # Bodies see the constants around them; each body has its own in a scope of its own.
    start: KnownScope = ChainMap({}, dict(inputs or {}))
    stack: list[tuple[onnx.GraphProto, KnownScope, int, int]] = [(model.graph, start, 1, 0)]
    while len(stack) > 0:
        graph, scope, turns, left = stack.pop()
        scope.update({tensor.name: constant_of(tensor) for tensor in graph.initializer})
        lengths = _lengths(graph)
        for node in graph.node:
            _refuse_axes(node, scope, lengths, name)
            found = dict(_outputs(node, scope, model.opset_import))
            scope.update(found)
            inner = turns * _turns(node, scope)
            yield graph, node, found, inner
            again = _most_turns(node, scope) - 1 if growing else 0
            for body in (a.g for a in node.attribute if a.HasField("g")):
                own = _first_turn(node, body, scope)
                stack.append((body, scope.new_child(own), inner, again))
        following = _next_turn(graph, scope) if left > 0 else None
        if following is not None:
            stack.append((graph, scope.parents.new_child(following), turns, left - 1))


def _first_turn(
    node: onnx.NodeProto, body: onnx.GraphProto, scope: KnownScope
) -> dict[str, KnownValue]:
    """The arguments of a Loop's body in its first turn, as far as they are known."""
    if not is_op(node, "Loop"):
        return {}
    kinds = (onnx.TensorProto.INT64, onnx.TensorProto.BOOL)
    turn: list[KnownValue | None] = [
        KnownValue(helper.make_tensor_type_proto(kind, []), given=True) for kind in kinds
    ]
    carried = [scope.get(name) for name in node.input[2:]]
    pairs = zip(body.input, turn + carried, strict=False)
    return {
        value.name: KnownValue(known.type, given=True)
        for value, known in pairs
        if known is not None
    }


def _most_turns(node: onnx.NodeProto, scope: KnownScope) -> int:
    """How many turns of a Loop are followed, if its state goes on growing."""
    count = scope.get(node.input[0]) if node.op_type == "Loop" and len(node.input) > 0 else None
    if count is None or count.array is None or count.array.size != 1:
        return FEW if node.op_type == "Loop" else 1
    return min(int(count.array.reshape(()).item()), FEW)


def _next_turn(body: onnx.GraphProto, scope: KnownScope) -> dict[str, KnownValue] | None:
    """The arguments of a Loop's body after a turn; None if they are as large as before."""
    own = {value.name: scope[value.name] for value in body.input if value.name in scope.maps[0]}
    before = {name: constant.nbytes for name, constant in own.items()}
    for value, result in zip(body.input[2:], body.output[1:], strict=False):
        known = scope.get(result.name)
        if known is None:
            own.pop(value.name, None)
        else:
            own[value.name] = KnownValue(known.type, given=True)
    grows = any(constant.nbytes > before.get(name, 0) for name, constant in own.items())
    return own if grows else None


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


def _refuse_axes(
    node: onnx.NodeProto, scope: KnownScope, lengths: Mapping[str, int], name: str
) -> None:
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
    node: onnx.NodeProto, scope: KnownScope, opsets: Sequence[onnx.OperatorSetIdProto]
) -> Iterator[tuple[str, KnownValue]]:
    """Outputs of a node by name, if they are constants."""
    if not is_standard(node) or any(a.HasField("g") for a in node.attribute):
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


def _asked(
    node: onnx.NodeProto,
    inputs: Mapping[str, KnownValue],
    opsets: Sequence[onnx.OperatorSetIdProto],
) -> Question | None:
    """The question about a node of a standard operator; None for another."""
    versions = [o.version for o in opsets if o.domain in STANDARD_DOMAINS]
    if len(versions) == 0 or not is_standard(node):
        return None
    operands = [inputs[key].operand if key in inputs else None for key in node.input]
    outputs = [key != "" for key in node.output]
    return question(versions[0], node.op_type, operands, outputs, node.attribute)


def _types(node: onnx.NodeProto, asked: Question | None) -> Sequence[onnx.TypeProto | None]:
    """Types of the outputs of a node; None where they are not known."""
    try:
        return [None] * len(node.output) if asked is None else types_of(asked)
    except Exception:  # a node that is wrong is refused by whatever infers the whole graph
        return [None] * len(node.output)


def _turns(node: onnx.NodeProto, scope: KnownScope) -> int:
    """How often a Loop certainly runs its body; 1 for what is no Loop or may end early."""
    if not is_op(node, "Loop"):
        return 1
    count = scope.get(node.input[0]) if len(node.input) > 0 and node.input[0] else None
    if count is None or count.array is None or count.array.size != 1:
        return 1
    go = node.input[1] if len(node.input) > 1 else ""
    body = next((a.g for a in node.attribute if a.name == "body"), None)
    if body is None or not _stays(go, scope) or not _goes_on(body):
        return 1
    return max(int(count.array.reshape(()).item()), 1)


def _stays(name: str, scope: Mapping[str, KnownValue]) -> bool:
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
