"""Transposes in a graph: reading them, making them, doing without them.

A permutation is written as the attribute `perm` of the operator: axis i of the result is axis
perm[i] of what goes in. A value that a Transpose makes is said to show its *source* through that
permutation.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.reading import is_op, scope_of

Perm = tuple[int, ...]


def inverse(perm: Perm) -> Perm:
    """Return the permutation that undoes `perm`."""
    return tuple(int(i) for i in np.argsort(perm))


def is_identity(perm: Perm) -> bool:
    """Whether nothing moves."""
    return perm == tuple(range(len(perm)))


def source_shape(shape: ir.Shape, perm: Perm) -> ir.Shape:
    """Return the shape of the source of a value that has `shape`."""
    return ir.Shape([shape[i] for i in inverse(perm)])


def shown_through(value: ir.Value | None) -> tuple[ir.Value, Perm] | None:
    """Return the source of a value and the permutation, if a Transpose made it."""
    node = None if value is None else value.producer()
    if node is None or not is_op(node, "Transpose") or node.inputs[0] is None:
        return None
    perm = node.attributes.get_ints("perm", None)
    if perm is None:
        if value is None or value.shape is None:
            return None
        perm = range(len(value.shape))[::-1]
    return node.inputs[0], tuple(perm)


def keeps_order(shape: ir.Shape, perm: Perm) -> bool:
    """Whether a value of `shape` has its elements in the order of its source.

    It has if only axes of size 1 move past others.
    """
    moved = [p for p, d in zip(perm, shape, strict=True) if d != 1]
    return moved == sorted(moved)


class Editor:
    """Changes a graph around its Transposes.

    Args:
        graph: the graph.
        any_order: graph inputs whose samples have their elements in any order (noise): instead of
            being transposed they change their shape.
    """

    def __init__(self, graph: ir.Graph, any_order: Collection[ir.Value]) -> None:
        self.graph = graph
        self.any_order = frozenset(any_order)
        self._names = Emitter(graph)
        self._made: dict[tuple[ir.Value, Perm], ir.Value] = {}

    def constant(
        self, array: Sequence[int] | npt.NDArray[Any], like: ir.Node, name: str
    ) -> ir.Value:
        """Add an initializer in the scope of a node."""
        with self._names.scope(scope_of(like)):
            values = array if isinstance(array, np.ndarray) else np.asarray(array, np.int64)
            return self._names.constant(values, name)

    def transpose(self, value: ir.Value, perm: Perm, before: ir.Node) -> ir.Value:
        """Return `value` shown through `perm`; a new node, if one is needed, precedes `before`."""
        shown = shown_through(value)
        if shown is not None:
            value, perm = shown[0], tuple(shown[1][i] for i in perm)
        if is_identity(perm):
            return value
        found = self._made.get((value, perm))
        if found is not None:
            return found
        node = self._new("Transpose", [value], before, {"perm": list(perm)})
        made = node.outputs[0]
        made.type = value.type
        if value.shape is not None:
            made.shape = ir.Shape([value.shape[i] for i in perm])
        self._made[value, perm] = made
        self.graph.insert_before(before, node)
        return made

    def reshape(self, value: ir.Value, shape: ir.Shape, before: ir.Node) -> ir.Value:
        """Return `value` with another shape, of which one size may be unknown."""
        sizes = [d if isinstance(d, int) else -1 for d in shape]
        target = self.constant(sizes, before, "shape")
        node = self._new("Reshape", [value, target], before, {})
        node.outputs[0].type, node.outputs[0].shape = value.type, shape
        self.graph.insert_before(before, node)
        return node.outputs[0]

    def show(self, value: ir.Value, perm: Perm) -> None:
        """Say that `value` has become the source of what it was: users get it through `perm`."""
        node = value.producer()
        if is_identity(perm) or node is None:
            return
        shape = value.shape
        users = value.uses()
        back = self._new("Transpose", [value], node, {"perm": list(perm)})
        shown = back.outputs[0]
        shown.type, shown.shape = value.type, shape
        if shape is not None:
            value.shape = source_shape(shape, perm)
        self.graph.insert_after(node, back)
        for user, index in users:
            user.replace_input_with(index, shown)
        if value.is_graph_output():
            self._take_over_outputs(value, shown)
            value.name = self._unique(node, node.op_type)
        self._made[value, perm] = shown

    def remove_transpose(self, node: ir.Node) -> None:
        """Replace what a Transpose makes by what it shows, through one other Transpose at most."""
        value, shown = node.outputs[0], shown_through(node.outputs[0])
        if shown is None:
            return
        replacement = self.transpose(node.inputs[0] or value, shown[1], node)
        if value.is_graph_output():
            fixed = replacement.is_graph_input() or replacement.is_initializer()
            if fixed or replacement.is_graph_output():
                copy = self._new("Identity", [replacement], node, {})
                copy.outputs[0].type, copy.outputs[0].shape = value.type, value.shape
                self.graph.insert_before(node, copy)
                replacement = copy.outputs[0]
            self._take_over_outputs(value, replacement)
            value.name = None
        value.replace_all_uses_with(replacement)

    def remember(self, node: ir.Node) -> None:
        """Note a Transpose that was there before, so that no equal one is made."""
        shown = shown_through(node.outputs[0])
        if shown is not None:
            self._made.setdefault(shown, node.outputs[0])

    def turn_into_reshape(self, node: ir.Node) -> None:
        """Replace a Transpose that keeps the order of the elements by a Reshape, if that can be."""
        shown, shape = shown_through(node.outputs[0]), node.outputs[0].shape
        if shown is None or shape is None or not keeps_order(shape, shown[1]):
            return
        sizes = [
            d if isinstance(d, int) else 0 if axis == i else -1
            for i, (d, axis) in enumerate(zip(shape, shown[1], strict=True))
        ]
        if sizes.count(-1) > 1 or any(d == 0 for d in shape):
            return
        target = self.constant(sizes, node, "shape")
        node.attributes.clear()
        node.op_type = "Reshape"
        node.resize_inputs(2)
        node.replace_input_with(1, target)
        node.name = self._unique(node, "Reshape")
        if not node.outputs[0].is_graph_output():
            node.outputs[0].name = node.name

    def _take_over_outputs(self, value: ir.Value, replacement: ir.Value) -> None:
        """Make `replacement` the graph output, or outputs, that `value` was, with its name."""
        replacement.name = value.name
        for i, output in enumerate(self.graph.outputs):
            if output is value:
                self.graph.outputs[i] = replacement

    def _new(
        self,
        op_type: str,
        inputs: Sequence[ir.Value],
        like: ir.Node,
        attributes: dict[str, list[int]],
    ) -> ir.Node:
        """Make a node in the scope of another; the caller puts it into the graph."""
        name = self._unique(like, op_type)
        node = ir.node(op_type, inputs, attributes, name=name, version=like.version)
        node.outputs[0].name = name
        return node

    def _unique(self, like: ir.Node, name: str) -> str:
        with self._names.scope(scope_of(like)):
            return self._names.unique_name(name)
