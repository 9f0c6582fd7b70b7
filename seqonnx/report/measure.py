"""Walk a model once: what each node costs, which weights it reads, what it returns.

The walk is flat: subgraph bodies (If, Loop, Scan) follow their node, and a node knows its parent,
so sums over bodies are one backward pass instead of a recursion.
"""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import prod
from typing import Any

import onnx
from onnx import numpy_helper

from seqonnx.report.cost import count_macs
from seqonnx.report.mac_rules import NodeFacts, trips_of
from seqonnx.report.polynomial import GraphShape, Polynomial
from seqonnx.report.read import sparse_tensors, stored_tensors, subgraphs
from seqonnx.report.tensors import byte_size, describe_type, dtype_name, is_parameter


@dataclass(frozen=True, eq=False)
class GraphValue:
    """A value visible in a graph; `stored` ones have `nbytes` in the file, perhaps an `integer`.

    `count` is how many numbers a sparse one stores, which are fewer than its shape says.
    """

    name: str
    dtype: str
    shape: GraphShape
    data_type: int = 0
    stored: bool = False
    nbytes: int = 0
    integer: int | None = None
    count: int | None = None

    @property
    def size(self) -> int:
        """How many numbers a stored value holds."""
        if self.count is not None:
            return self.count
        return prod(dim for dim in self.shape or () if isinstance(dim, int))


Scope = ChainMap[str, GraphValue]
_Reads = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Block:
    """A graph that runs as a whole: the main one, or a body under its attribute's name."""

    branch: str
    graph: onnx.GraphProto
    scope: Scope

    @property
    def inputs(self) -> list[GraphValue]:
        """The inputs, without the initializers that old files list among them."""
        values = (self.scope.maps[0][value.name] for value in self.graph.input)
        return [value for value in values if not value.stored]

    @property
    def results(self) -> list[GraphValue]:
        """The outputs."""
        return [self.scope[value.name] for value in self.graph.output]


@dataclass
class Visit:
    """One node of the walk; `parent` is the index of the node whose `branch` holds it."""

    node: onnx.NodeProto
    inputs: tuple[GraphValue | None, ...]
    outputs: tuple[GraphValue, ...]
    parent: int | None
    branch: str
    facts: NodeFacts
    scope: Scope
    macs: Polynomial | None = None
    complete: bool = True
    weights: list[GraphValue] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    bodies: list[Block] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the node, or of its first output where it has none."""
        return self.node.name or next((v.name for v in self.outputs), self.node.op_type)


@dataclass(frozen=True)
class Walk:
    """All visits in file order, the weights that no node reads, and the main graph.

    `early` are reads of a value before the node that makes it, `dangling` those of a value that
    nothing makes, both as pairs of the node's name and the value's.
    """

    visits: list[Visit]
    unread: tuple[GraphValue, ...]
    main: Block
    early: _Reads
    dangling: _Reads


def measure(model: onnx.ModelProto) -> Walk:
    """Visit every node of a shape-inferred model and fill in MACs and weights."""
    versions = {opset.domain or "ai.onnx": opset.version for opset in model.opset_import}
    stored: list[GraphValue] = []
    main = Block("", model.graph, _declare(model.graph, Scope(), stored))
    visits = _visit_all(main, versions, stored)
    for visit in reversed(visits):
        _count(visit, visits)
    return Walk(visits, _assign_weights(visits, stored), main, *_out_of_order(main, visits))


def known_sum(counts: Sequence[Polynomial | None]) -> Polynomial | None:
    """Add what is known; None if something is unknown and nothing but zeros is known."""
    total = Polynomial.total(count for count in counts if count is not None)
    return None if total == Polynomial.of(0) and None in counts else total


def _visit_all(main: Block, versions: Mapping[str, int], stored: list[GraphValue]) -> list[Visit]:
    """List the nodes of a graph and of the bodies below it, and the stored values."""
    visits: list[Visit] = []
    loops: Counter[str] = Counter()
    pending: list[_Frame] = [(node, main, None) for node in reversed(main.graph.node)]
    while pending:
        node, block, parent = pending.pop()
        index, scope = len(visits), block.scope
        inputs = tuple(scope.get(name) for name in node.input)
        for name in node.output:  # what inference knows nothing of is a value, too
            scope.maps[0].setdefault(name, GraphValue(name, "?", None))
        outputs = tuple(scope[name] for name in node.output if name)
        facts = _facts(node, inputs, outputs, versions)
        visit = Visit(node, inputs, outputs, parent, block.branch, facts, scope)
        visits.append(visit)
        if parent is not None:
            visits[parent].children.append(index)
        for attribute, body in subgraphs(node):
            visit.bodies.append(Block(attribute, body, _declare(body, scope.new_child(), stored)))
        for inner in reversed(visit.bodies):
            pending += [(child, inner, index) for child in reversed(inner.graph.node)]
        if visit.bodies:  # loops of one name, as in two calls of a function, turn independently
            loops[visit.name] += 1
            number = loops[visit.name]
            visit.facts = replace(
                facts, name=visit.name if number == 1 else f"{visit.name}:{number}"
            )
    return visits


_Frame = tuple[onnx.NodeProto, Block, int | None]


def _out_of_order(main: Block, visits: Sequence[Visit]) -> tuple[_Reads, _Reads]:
    """Return the reads of values that are made later, and of values that nothing makes."""
    made = {id(value): index for index, visit in enumerate(visits) for value in visit.outputs}
    for index, visit in enumerate(visits):
        made |= {id(value): index - 1 for body in visit.bodies for value in body.inputs}
    made |= {id(value): -1 for value in main.inputs}
    early, dangling = [], []
    for index, visit in enumerate(visits):
        for name in filter(None, visit.node.input):
            value = visit.scope.get(name)
            if value is None or not (value.stored or id(value) in made):
                dangling.append((visit.name, name))
            elif not value.stored and made[id(value)] >= index:
                early.append((visit.name, name))
    return tuple(early), tuple(dangling)


def _declare(graph: onnx.GraphProto, scope: Scope, stored: list[GraphValue]) -> Scope:
    """Enter the values of `graph` in `scope`, and those that the file stores in `stored`."""
    for value in chain(graph.input, graph.value_info, graph.output):
        dtype, shape = describe_type(value.type)
        scope[value.name] = GraphValue(value.name, dtype, shape)
    sparse = dict(sparse_tensors(graph))
    for name, tensor in stored_tensors(graph):
        value = GraphValue(
            name,
            dtype_name(tensor.data_type),
            tuple(max(dim, 0) for dim in tensor.dims),
            tensor.data_type,
            stored=True,
            nbytes=byte_size(tensor.data_type, tensor.dims),
            integer=_scalar_integer(tensor),
        )
        scope[name] = value if name not in sparse else _sparse(value, sparse[name])
        stored.append(scope[name])
    return scope


def _sparse(values: GraphValue, tensor: onnx.SparseTensorProto) -> GraphValue:
    """Return the value that a sparse tensor is, from that of its numbers other than zero."""
    indices = byte_size(tensor.indices.data_type, tensor.indices.dims)
    return replace(
        values,
        shape=tuple(tensor.dims),
        nbytes=values.nbytes + indices,
        integer=None,
        count=values.size,
    )


def _scalar_integer(tensor: onnx.TensorProto) -> int | None:
    """Return the one integer that a tensor holds in the file itself, else None."""
    if (
        list(tensor.dims) not in ([], [1])
        or tensor.data_type not in {onnx.TensorProto.INT32, onnx.TensorProto.INT64}
        or tensor.data_location == onnx.TensorProto.EXTERNAL
    ):
        return None
    try:
        return int(numpy_helper.to_array(tensor).item())
    except ValueError:  # dimensions and data of a damaged tensor disagree
        return None


def _facts(
    node: onnx.NodeProto,
    inputs: Sequence[GraphValue | None],
    outputs: Sequence[GraphValue],
    versions: Mapping[str, int],
) -> NodeFacts:
    """Gather what MAC rules look at."""
    attributes: dict[str, Any] = {
        attribute.name: onnx.helper.get_attribute_value(attribute)
        for attribute in node.attribute
        if attribute.type not in {onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS}
        and not attribute.ref_attr_name
    }
    return NodeFacts(
        op_type=node.op_type,
        version=versions.get(node.domain or "ai.onnx", 0),
        inputs=tuple(value.shape if value else None for value in inputs),
        outputs=tuple(value.shape for value in outputs) or (None,),
        attributes=attributes,
        integers={i: v.integer for i, v in enumerate(inputs) if v and v.integer is not None},
        name=node.name or next((value.name for value in outputs), node.op_type),
    )


def _count(visit: Visit, visits: Sequence[Visit]) -> None:
    """Fill in the MACs of one visit; those of its bodies are there already."""
    bodies: dict[str, list[Polynomial | None]] = {name: [] for name, _ in subgraphs(visit.node)}
    for child in (visits[index] for index in visit.children):
        bodies[child.branch].append(child.macs)
        visit.complete = visit.complete and child.complete
    sums = {name: known_sum(counts) for name, counts in bodies.items()}
    if len(sums) > 0:
        visit.facts = replace(visit.facts, bodies=sums)
    visit.macs = count_macs(visit.node.domain, visit.facts)
    trips = trips_of(visit.facts)
    known = visit.macs is not None and trips not in visit.macs.names
    visit.complete = visit.complete and known


def _assign_weights(
    visits: Sequence[Visit], stored: Sequence[GraphValue]
) -> tuple[GraphValue, ...]:
    """Give each stored parameter to the first node that reads it; return those nobody reads."""
    read: set[int] = set()
    taken: set[int] = set()
    for visit in visits:
        for index, value in enumerate(visit.inputs):
            if value is None or not value.stored:
                continue
            read.add(id(value))
            counts = is_parameter(value.data_type, _rank(value), visit.node.op_type, index)
            if counts and id(value) not in taken:
                taken.add(id(value))
                visit.weights.append(value)
    return tuple(
        value
        for value in stored
        if id(value) not in read and is_parameter(value.data_type, _rank(value), "", 0)
    )


def _rank(value: GraphValue) -> int:
    """Return the rank of a stored value."""
    return len(value.shape or ())
