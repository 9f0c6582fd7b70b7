"""vmap: a model for one thing becomes a model for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
import onnx_ir as ir

from seqonnx.autodiff.batching import RULES, Mapped
from seqonnx.autodiff.sources import sources_of
from seqonnx.graph import Emitter, dtype_name, static_shape
from seqonnx.graph.damage import reading
from seqonnx.graph.reading import UnknownRankError, is_standard
from seqonnx.graph.serde import to_proto
from seqonnx.importers.onnx.importing import ModelLike, import_graph, title_of

InAxes = int | None | Sequence[int | None] | Mapping[str, int | None]

_SIZE = "mapped"
"""Name of the size of the new axis."""


def vmap(model: ModelLike, in_axes: InAxes = 0) -> onnx.ModelProto:
    """Return a model that computes another model for many inputs at once.

    Its inputs have one axis more, and so have its outputs, in front. Most operators are computed
    for all at once; those without a batching rule take one element after the other (a Scan). The
    result is a model of standard operators, whose gradients can be taken as those of any other:
    `vmap(vjp(...), ...)` gives Jacobians, row by row.

    Args:
        model: path of an ONNX file, an `onnx.ModelProto`, or a seqonnx model.
        in_axes: the new axis of every input; a list with one for each input in order, or a dict
            by name, where what is missing is not mapped. None for an input that is the same for
            all. Negative axes count from the end of the new shape.

    Returns:
        A model with the inputs and outputs of the original by their names.

    Raises:
        ValueError: if `in_axes` fits no input, an axis does not exist, or nothing is mapped.
        ModelFileError: if the file cannot be read.

    Example:
        >>> many = vmap("energy.onnx", {"positions": 0})  # doctest: +SKIP
        >>> [d.dim_param for d in many.graph.input[0].type.tensor_type.shape.dim]  # doctest: +SKIP
        ['mapped', '', '']
    """
    title = title_of(model)
    graph = import_graph(model)
    axes = _axes_of(graph, in_axes, title)
    with reading(title, refusals=True):
        made = _Mapped(graph, axes)
        made.run()
        return to_proto(made.op.graph)


class _Mapped:
    """The nodes of a graph, emitted one after the other with an axis more.

    Args:
        graph: the graph of the model.
        axes: the new axis of each input that is mapped.
    """

    def __init__(self, graph: ir.Graph, axes: Mapping[ir.Value, int]) -> None:
        self._graph = graph
        self.op = Emitter()
        self.op.graph.name = graph.name
        self.op.graph.opset_imports.update(graph.opset_imports)
        self._axes = axes
        self._new: dict[ir.Value, ir.Value] = {}
        self._mapped: set[ir.Value] = set()

    def run(self) -> None:
        """Emit everything, the outputs mapped over their first axis."""
        for value in self._graph.inputs:
            self._new[value] = self._input(value)
        for value in self._graph.initializers.values():
            assert value.const_value is not None
            self._new[value] = self.op.constant(value.const_value.numpy(), str(value.name))
        for node in self._graph:
            self._emit(node)
        for value in self._graph.outputs:
            made = self._new[value]
            if value not in self._mapped:  # the same for all
                made = self._repeated(value)
            self.op.output(made, str(value.name))

    def _input(self, value: ir.Value) -> ir.Value:
        shape = list(static_shape(value))
        axis = self._axes.get(value)
        if axis is None:
            return self.op.input(str(value.name), dtype_name(value), shape)
        shape.insert(axis, _SIZE)
        made = self.op.input(str(value.name), dtype_name(value), shape)
        self._mapped.add(value)
        if axis == 0:
            return made
        order = [axis, *(i for i in range(len(shape)) if i != axis)]
        moved: ir.Value = self.op.Transpose(made, perm=order)
        return moved

    def _emit(self, node: ir.Node) -> None:
        """Emit a node: as it is, by its rule, or one element after the other."""
        if not any(value in self._mapped for value in sources_of(node) if value is not None):
            self._copy(node)
            return
        inputs = [None if value is None else self._new[value] for value in node.inputs]
        mapped = [value in self._mapped for value in node.inputs]
        rule = RULES.get(node.op_type) if is_standard(node) else None
        results = None
        if node.op_type == "Shape" and is_standard(node):
            self._shape(node, inputs)
            return
        if rule is not None:
            try:
                results = rule(Mapped(self.op, node, inputs, mapped))
            except UnknownRankError:
                results = None  # a Scan need not know the number of axes
        self._note(node, self._one_by_one(node) if results is None else results, mapped=True)

    def _shape(self, node: ir.Node, inputs: Sequence[ir.Value | None]) -> None:
        """The shape of one element is the same for all."""
        start, end = (node.attributes.get_int(name, None) for name in ("start", "end"))
        whole = self.op.Shape(inputs[0], start=1)
        if start is not None or end is not None:
            most = 1 << 31
            whole = self.op.Slice(whole, [start or 0], [most if end is None else end])
        self._note(node, [whole], mapped=False)

    def _copy(self, node: ir.Node) -> None:
        """Take a node over that nothing mapped gets to."""
        self._note(node, self._cloned(node, self._new, self.op.graph), mapped=False)

    def _cloned(
        self, node: ir.Node, new: Mapping[ir.Value, ir.Value], graph: ir.Graph
    ) -> list[ir.Value]:
        """Append a copy of a node that reads other values, also inside its bodies."""
        attributes: list[ir.Attr] = []
        bodies: list[ir.Graph] = []
        for name, attribute in node.attributes.items():
            if attribute.type == ir.AttributeType.GRAPH:
                bodies.append(attribute.as_graph().clone(allow_outer_scope_values=True))
                attributes.append(ir.AttrGraph(name, bodies[-1]))
            else:
                attributes.append(attribute)
        inputs = [None if value is None else new[value] for value in node.inputs]
        copied = ir.Node(
            node.domain, node.op_type, inputs, attributes, num_outputs=len(node.outputs)
        )
        for body in bodies:
            self._read_instead(body, new)
        copied.name = self.op.unique_name(node.op_type)
        for old, made in zip(node.outputs, copied.outputs, strict=True):
            made.name = self.op.unique_name(node.op_type) if old.name else ""
            made.type, made.shape = old.type, old.shape
        graph.append(copied)
        return list(copied.outputs)

    def _read_instead(self, body: ir.Graph, new: Mapping[ir.Value, ir.Value]) -> None:
        """Let nodes of a body, and of bodies inside it, read other values from outside."""
        for inner in (body, *body.subgraphs()):
            for value in inner.inputs:
                value.name = self.op.unique_name(str(value.name))
        for node in body.all_nodes():
            for value in node.outputs:
                value.name = self.op.unique_name(value.name) if value.name else ""
            for i, read in enumerate(node.inputs):
                if read is not None and read in new and new[read] is not read:
                    node.replace_input_with(i, new[read])

    def _one_by_one(self, node: ir.Node) -> list[ir.Value]:
        """A Scan over the elements, with the node as its body."""
        read = [value for value in dict.fromkeys(sources_of(node)) if value in self._mapped]
        inside = dict(self._new)
        elements = []
        for value in read:
            assert value is not None
            element = ir.Value(name=self.op.unique_name("element"), type=value.type)
            element.shape = value.shape
            inside[value] = element
            elements.append(element)
        body = ir.Graph(elements, [], nodes=[], opset_imports=dict(self._graph.opset_imports))
        body.name = self.op.unique_name("one")
        body.outputs.extend(value for value in self._cloned(node, inside, body) if value.name)
        stacked = [self._new[value] for value in read if value is not None]
        made = self.op.emit(
            "Scan",
            stacked,
            {"body": body, "num_scan_inputs": len(stacked), "_outputs": len(body.outputs)},
        )
        results = iter([made] if isinstance(made, ir.Value) else made)
        return [next(results) if old.name else old for old in node.outputs]

    def _note(self, node: ir.Node, results: Sequence[ir.Value], *, mapped: bool) -> None:
        for old, made in zip(node.outputs, results, strict=True):
            self._new[old] = made
            if mapped:
                self._mapped.add(old)

    def _repeated(self, value: ir.Value) -> ir.Value:
        """An output that nothing mapped gets to, as often as there are elements."""
        first = next(v for v in self._graph.inputs if v in self._mapped)
        size = self.op.Shape(self._new[first], start=0, end=1)
        made = self.op.Unsqueeze(self._new[value], [0])
        shape = self.op.Concat(size, self.op.Shape(self._new[value]), axis=0)
        repeated: ir.Value = self.op.Expand(made, shape)
        return repeated


def _axes_of(graph: ir.Graph, in_axes: InAxes, title: str) -> dict[ir.Value, int]:
    """The new axis of each input that is mapped, counted from the front."""
    inputs = list(graph.inputs)
    names = [str(value.name) for value in inputs]
    if isinstance(in_axes, Mapping):
        unknown = [name for name in in_axes if name not in names]
        if len(unknown) > 0:
            raise ValueError(
                f"`in_axes` names {unknown}, which {title} has no inputs for; they are {names}."
            )
        wanted = [in_axes.get(name) for name in names]
    elif isinstance(in_axes, Sequence):
        wanted = list(in_axes)
        if len(wanted) != len(inputs):
            raise ValueError(
                f"`in_axes` must have an entry for each of the {len(inputs)} inputs of {title}, "
                f"{names}. Received: in_axes={in_axes!r}"
            )
    else:
        wanted = [in_axes] * len(inputs)
    found = {}
    for value, axis in zip(inputs, wanted, strict=True):
        if axis is None:
            continue
        count = len(static_shape(value)) + 1
        if not -count <= axis < count:
            raise ValueError(
                f"`in_axes` maps input '{value.name}' of {title} over axis {axis}; with the new "
                f"axis it has {count}."
            )
        found[value] = axis % count
    if len(found) == 0:
        raise ValueError(f"`in_axes` maps none of the inputs of {title}, {names}.")
    return found
