"""Lowering a graph to an older operator set, for readers that are older or know less.

Every node goes down step by step: from the operator set in which its operator came or last changed
to the one before, until the wanted set has its operator as it then is. An adapter (`adapters/`)
says what is needed for a step; without one, a node stays as it is where the two schemas differ in
nothing that it uses. Nothing is relabelled that changed its meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import onnx.defs
import onnx_ir as ir

from seqonnx.export.adapters import ADAPTERS, NotInOperatorSetError
from seqonnx.export.adapters.bodies import expand_body, has_body
from seqonnx.export.adapters.dtypes import widened
from seqonnx.export.adapters.registry import Adapter
from seqonnx.graph import OPSET, Emitter
from seqonnx.graph.reading import is_standard, layer_of
from seqonnx.graph.schemas import default_of, schema_of, takes
from seqonnx.lowering.replacing import replace_node

_SHOWN: Final = 3


class OperatorSetError(ValueError):
    """An operator set cannot say a model: names operators, layers and the lowest set that works.

    Args:
        opset: the operator set.
        refusals: what it cannot say.

    Attributes:
        lowest: the lowest operator set that can say all of it.
    """

    def __init__(self, opset: int, refusals: Sequence[Refusal]) -> None:
        self.lowest = max(refusal.lowest for refusal in refusals)
        texts = list(dict.fromkeys(map(str, refusals)))  # a layer may hold several such nodes
        shown = "; ".join(texts[:_SHOWN])
        more = len(texts) - _SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        super().__init__(
            f"Operator set {opset} cannot say the model: {shown}{rest}. "
            f"The lowest that can is opset={self.lowest}."
        )


@dataclass(frozen=True)
class Refusal:
    """A node that an operator set cannot say.

    Args:
        op_type: its operator.
        layer: the layer that it is of; empty for none.
        name: its own name.
        lowest: the lowest operator set that can.
        reason: why.
    """

    op_type: str
    layer: str
    name: str
    lowest: int
    reason: str

    def __str__(self) -> str:
        where = f"layer '{self.layer}'" if self.layer else f"node '{self.name}'"
        return f"{self.op_type} ({where}) needs {self.lowest}: {self.reason}"


def lower_operators(graph: ir.Graph, opset: int) -> None:
    """Say a graph, and the graphs inside its nodes, in an older operator set; in place.

    Args:
        graph: graph with the types of its values, in an operator set up to 23.
        opset: the wanted one, not above that of the graph.

    Raises:
        OperatorSetError: if an operator cannot be said; the graph is then in no set.

    Example:
        >>> op = Emitter()
        >>> _ = op.output(op.Gelu(op.input("x", "float32", ("batch", 2))), "y")
        >>> lower_operators(op.graph, 18)
        >>> [node.op_type for node in op.graph]
        ['Div', 'Erf', 'Add', 'Mul', 'Mul']
    """
    start = graph.opset_imports.get("", OPSET)
    if opset >= start:
        return
    op = Emitter(graph)
    refusals = []
    waiting = [(node, start) for node in graph.all_nodes() if is_standard(node)][::-1]
    while len(waiting) > 0:
        node, current = waiting.pop()
        try:
            added = _lower_node(op, node, current, opset)
        except _RefusedError as refused:
            refusals.append(refused.refusal)
        else:
            waiting.extend((made, made.version or current) for made in reversed(added))
    graph.opset_imports[""] = opset
    if len(refusals) > 0:
        raise OperatorSetError(opset, refusals)


class _RefusedError(Exception):
    """Carries a refusal to where it is collected."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def _lower_node(op: Emitter, node: ir.Node, current: int, opset: int) -> list[ir.Node]:
    """Lower a node; returns the nodes that have taken its place, to be lowered further."""
    while True:
        schema = schema_of(node.op_type, current)
        if schema is None:
            raise _refused(node, current, "the standard does not have it")
        since = schema.since_version
        if since <= opset:
            return []
        op.graph.opset_imports[""] = since - 1
        try:
            added = _step(op, node, schema)
        except NotInOperatorSetError as error:
            raise _refused(node, since, str(error)) from error
        if added is not None:
            return added
        current = since - 1


def _step(op: Emitter, node: ir.Node, schema: onnx.defs.OpSchema) -> list[ir.Node] | None:
    """Say a node in the set before its operator's; None where it stays, perhaps edited."""
    since = schema.since_version
    older = schema_of(node.op_type, since - 1)
    adapt = ADAPTERS.get((node.op_type, since))
    if adapt is None and older is None:
        if not has_body(node.op_type, since):
            raise NotInOperatorSetError("lower sets do not have it")
        return _replace(op, node, partial(expand_body, version=since))
    if adapt is not None:
        added = _replace(op, node, adapt)
        if added is not None:
            return added
    assert older is not None
    _drop_defaults(node, schema, older)
    if takes(older, node):
        return None
    return _replace(op, node, partial(widened, older=older))


def _replace(op: Emitter, node: ir.Node, adapt: Adapter) -> list[ir.Node] | None:
    """Put what an adapter emits in the place of a node, with the shapes that its outputs had."""

    def emit(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
        results = adapt(op, node)
        for old, new in zip(node.outputs, results or (), strict=False):
            if new.shape is None:
                new.shape = old.shape
            if new.type is None:
                new.type = old.type
        return results

    return replace_node(op, node, emit)


def _drop_defaults(node: ir.Node, schema: onnx.defs.OpSchema, older: onnx.defs.OpSchema) -> None:
    """Remove attributes that an older schema lacks, where they say what it means anyway.

    Raises:
        NotInOperatorSetError: if one says something else.
    """
    for name in [name for name in node.attributes if name not in older.attributes]:
        given = ir.serde.serialize_attribute(node.attributes[name])
        given.doc_string = ""
        if given != default_of(schema, name):
            raise NotInOperatorSetError(f"lower sets do not have its attribute `{name}`")
        node.attributes.pop(name)
    for name, attribute in older.attributes.items():
        if name not in node.attributes and attribute.default_value != default_of(schema, name):
            raise NotInOperatorSetError(f"lower sets have another default for `{name}`")


def _refused(node: ir.Node, lowest: int, reason: str) -> _RefusedError:
    return _RefusedError(Refusal(node.op_type, layer_of(node), node.name or "", lowest, reason))
