"""Sequences and optionals whose structure is known give way to the tensors in them.

Gradients are tensors. Where it is known before any run how many elements a sequence has and which
of them is taken, the sequence is only a notation for tensors: `SequenceAt(SequenceConstruct(a,
b), 1)` is b. Before the walk backwards, each operator that reads a tensor from such a sequence
becomes the Identity of that tensor; names and values stay as they are. What is not static keeps its
operator, whose rule (`rules/sequences.py`) says what is in the way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import onnx
import onnx_ir as ir

from seqonnx.autodiff.needed import given
from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.reading import constant_ints, constant_of, input_at, is_standard, scope_of
from seqonnx.graph.serde import to_proto
from seqonnx.graph.splice import splice

Parts = ir.Value | list[ir.Value]
"""Stands for a value: the elements of a sequence, or the tensor in an optional."""


def is_of_sequences(node: ir.Node) -> bool:
    """Whether an operator makes or reads a sequence or an optional."""
    return node.op_type in _STEPS and node.op_type != "Identity" and is_standard(node)


def read_from_parts(op: Emitter) -> None:
    """Replace, in a graph, what is read from static sequences and optionals by the tensors.

    Args:
        op: emitter of the graph. Tensors that a sequence was made of implicitly (pieces of
            SplitToSequence, results of SequenceMap) are added in front of the operator.
    """
    lowering = _Lowering(op)
    pending = deque(op.graph)
    while pending:
        node = pending.popleft()
        if node.op_type not in _STEPS or not is_standard(node):
            continue
        made = lowering.run(node)
        pending.extendleft(reversed(made))
    if lowering.replaced > 0:
        _infer_unknown_shapes(op.graph)


class _Lowering:
    """The tensors found so far, and the graph they are in."""

    def __init__(self, op: Emitter) -> None:
        self.op = op
        self.parts: dict[ir.Value, Parts] = {}
        self.replaced = 0

    def run(self, node: ir.Node) -> list[ir.Node]:
        """Do the step of one node; returns the nodes that were added in front of it."""
        graph = self.op.graph
        before = len(graph)
        with self.op.scope(scope_of(node) or "sequence"):
            found = _STEPS[node.op_type](self, node)
        made = list(islice(reversed(graph), len(graph) - before))[::-1]
        if len(made) > 0:
            graph.remove(made)
            graph.insert_before(node, made)
        if isinstance(found, ir.Value) and node.op_type in _READERS:
            self._become(node, found)
        elif found is not None:
            self.parts[node.outputs[0]] = found
        return made

    def elements(self, value: ir.Value | None) -> list[ir.Value] | None:
        """The tensors of a sequence, or None if they are not known."""
        found = None if value is None else self.parts.get(value)
        return found if isinstance(found, list) else None

    def _become(self, node: ir.Node, tensor: ir.Value) -> None:
        """Turn a node into the Identity of a tensor."""
        node.op_type = "Identity"
        node.attributes.clear()
        node.resize_inputs(1)
        node.replace_input_with(0, tensor)
        if tensor.shape is not None:
            node.outputs[0].shape = tensor.shape
        self.replaced += 1


def _position(node: ir.Node, index: int, default: int) -> int | None:
    """A constant position, or None if only a run knows it."""
    if input_at(node, index) is None:
        return default
    numbers = constant_ints(given(node, index))
    return None if numbers is None else numbers[0]


def _construct(it: _Lowering, node: ir.Node) -> Parts | None:
    return [value for value in node.inputs if value is not None]


def _insert(it: _Lowering, node: ir.Node) -> Parts | None:
    elements = it.elements(given(node, 0))
    at = _position(node, 2, len(elements or ()))
    if elements is None or at is None:
        return None
    at = at + len(elements) if at < 0 else at
    return [*elements[:at], given(node, 1), *elements[at:]]


def _erase(it: _Lowering, node: ir.Node) -> Parts | None:
    elements, at = it.elements(given(node, 0)), _position(node, 1, -1)
    if elements is None or at is None or not -len(elements) <= at < len(elements):
        return None
    return [value for i, value in enumerate(elements) if i != at % len(elements)]


def _at(it: _Lowering, node: ir.Node) -> Parts | None:
    elements, at = it.elements(given(node, 0)), _position(node, 1, 0)
    if elements is None or at is None or not -len(elements) <= at < len(elements):
        return None
    return elements[at]


def _split(it: _Lowering, node: ir.Node) -> Parts | None:
    """Split, and Squeeze where single slices lose their axis."""
    x, axis = given(node, 0), node.attributes.get_int("axis", 0)
    lengths = input_at(node, 1)
    sizes: list[int] | ir.Value | None
    if lengths is not None and constant_of(lengths) is None:
        count = None if lengths.shape is None else [*static_shape(lengths), None][0]
        sizes = lengths
    else:
        sizes = _piece_sizes(x, axis, lengths)
        count = None if sizes is None else len(sizes)
    if not isinstance(count, int) or count == 0:
        return None
    made = it.op.emit("Split", [x, sizes], {"axis": axis, "_outputs": count})
    pieces = [made] if isinstance(made, ir.Value) else list(made)
    if isinstance(sizes, ir.Value) and x.shape is not None:
        around = list(static_shape(x))
        around[axis] = None
        for piece in pieces:
            piece.shape = ir.Shape(around)
    if lengths is None and node.attributes.get_int("keepdims", 1) == 0:
        return [it.op.Squeeze(piece, [axis]) for piece in pieces]
    return pieces


def _piece_sizes(x: ir.Value, axis: int, lengths: ir.Value | None) -> list[int] | None:
    """The sizes of the pieces; one number is the size of all but perhaps the last."""
    known = constant_of(lengths)
    if known is not None and known.ndim == 1:
        return [int(size) for size in known]
    total = None if x.shape is None else static_shape(x)[axis]
    each = 1 if known is None else int(known)
    if not isinstance(total, int):
        return None
    return [min(each, total - first) for first in range(0, total, each)]


def _concat(it: _Lowering, node: ir.Node) -> Parts | None:
    elements, axis = it.elements(given(node, 0)), node.attributes.get_int("axis", 0)
    if elements is None or len(elements) == 0:
        return None
    if node.attributes.get_int("new_axis", 0) == 1:
        elements = [it.op.Unsqueeze(value, [axis]) for value in elements]
    return it.op.Concat(*elements, axis=axis)


def _map(it: _Lowering, node: ir.Node) -> Parts | None:
    """The body, once for each element; a node may have several outputs."""
    first = it.elements(given(node, 0))
    others = [it.elements(value) for value in node.inputs[1:]]
    pairs = zip(node.inputs[1:], others, strict=True)
    unknown = any(_is_sequence(value) and found is None for value, found in pairs)
    if first is None or unknown:
        return None
    body = node.attributes["body"].as_graph()
    columns: list[Sequence[ir.Value]] = [first]
    for value, found in zip(node.inputs[1:], others, strict=True):
        columns.append([value] * len(first) if found is None and value is not None else found or [])
    names = [str(value.name) for value in body.inputs]
    rows = [
        splice(it.op, body, dict(zip(names, row, strict=True)))
        for row in zip(*columns, strict=True)
    ]
    for i, output in enumerate(node.outputs):
        it.parts[output] = [row[i] for row in rows]
    return it.parts[node.outputs[0]]


def _is_sequence(value: ir.Value | None) -> bool:
    return value is not None and isinstance(value.type, ir.SequenceType)


def _optional(it: _Lowering, node: ir.Node) -> Parts | None:
    value = input_at(node, 0)
    if value is None:
        return None
    return value if isinstance(value.type, ir.TensorType) else it.parts.get(value)


def _same(it: _Lowering, node: ir.Node) -> Parts | None:
    """Pass on what an Identity or OptionalGetElement does; a plain tensor needs no step."""
    value = given(node, 0)
    if node.op_type == "OptionalGetElement" and isinstance(value.type, ir.TensorType):
        return value
    return it.parts.get(value)


_STEPS: dict[str, Callable[[_Lowering, ir.Node], Parts | None]] = {
    "SequenceConstruct": _construct,
    "SequenceEmpty": lambda it, node: [],
    "SequenceInsert": _insert,
    "SequenceErase": _erase,
    "SequenceAt": _at,
    "SplitToSequence": _split,
    "ConcatFromSequence": _concat,
    "SequenceMap": _map,
    "Optional": _optional,
    "OptionalGetElement": _same,
    "Identity": _same,
}


_READERS = frozenset({"SequenceAt", "ConcatFromSequence", "OptionalGetElement"})
"""Operators that give a tensor; the others give a sequence or an optional."""


def _infer_unknown_shapes(graph: ir.Graph) -> None:
    """Shapes behind what was read from a sequence, which the standard's inference did not know."""
    # Without data propagation: onnx 1.23 takes slice bounds that it does not know for 0.
    inferred = ir.from_proto(onnx.shape_inference.infer_shapes(to_proto(graph))).graph
    known = {value.name: value for node in inferred for value in node.outputs}
    for node in graph:
        for value in node.outputs:
            found = known.get(value.name)
            if value.shape is None and found is not None and found.shape is not None:
                value.shape = found.shape
