"""Layout: moves Transposes out of the way of the operators.

Layers that see channels last put a Transpose before and after each ONNX image operator, which
wants them on axis 1. Here the Transposes sink towards the outputs, past everything that does not
care about the order of axes, until they meet one that undoes them. What is left is one at the
entry and one at the exit of a stack of such layers.
"""

from __future__ import annotations

from collections.abc import Collection

import onnx_ir as ir

from seqonnx.graph.reading import is_op, is_standard
from seqonnx.lowering.layout_rules import ABSORBING, RULES, Relayout, Site
from seqonnx.lowering.transposes import Editor, shown_through


def move_transposes(
    graph: ir.Graph,
    any_order: Collection[ir.Value] = (),
    fixed: Collection[ir.Node] = (),
) -> None:
    """Cancel Transposes against each other, in place.

    The graph computes what it did (sums may be taken in another order), its inputs and outputs
    keep names, shapes and dtypes. Every value of a changed node gets its new shape. Initializers
    that are no longer used stay: an emitter may still refer to them.

    Args:
        graph: graph whose nodes stand in the order of execution, with its outputs declared and
            shapes inferred; what has no shape is left alone.
        any_order: graph inputs whose samples, on the first axis, have their elements in any order,
            such as noise: these may change their shape, which saves transposing them.
        fixed: nodes that no Transpose may pass.

    Example:
        >>> from seqonnx.graph import Emitter
        >>> op = Emitter()
        >>> x = op.input("x", "float32", ("batch", 4, 3))
        >>> first = op.Transpose(x, perm=[0, 2, 1])
        >>> _ = op.output(op.Transpose(op.Relu(first), perm=[0, 2, 1]), "y")
        >>> move_transposes(op.graph)
        >>> [node.op_type for node in op.graph]
        ['Relu']
    """
    edit = Editor(graph, any_order)
    paying = _paying(graph)
    for node in list(graph):
        if is_op(node, "Transpose"):
            _join(edit, node)
        elif is_standard(node) and node.op_type in RULES and node not in fixed:
            _pass(edit, node, node in paying)
    _finish(edit)


def _paying(graph: ir.Graph) -> set[ir.Node]:
    """Nodes after which a Transpose could meet another one, or vanish."""
    paying: set[ir.Node] = set()
    for node in reversed(graph):
        users = [user for value in node.outputs for user, _ in value.uses()]
        if any(
            is_op(user, "Transpose")
            or user.op_type in ABSORBING
            or (user in paying and user.op_type in RULES)
            for user in users
        ):
            paying.add(node)
    return paying


def _join(edit: Editor, node: ir.Node) -> None:
    """Make one Transpose of two in a row, and of two that do the same."""
    edit.remember(node)
    value = node.outputs[0]
    shown = shown_through(value)
    if shown is None:
        return
    source, perm = shown
    if shown_through(source) is not None or edit.transpose(source, perm, node) is not value:
        edit.remove_transpose(node)


def _pass(edit: Editor, node: ir.Node, pays: bool) -> None:
    """Let the Transposes before a node pass it, if that makes no more of them."""
    transposed = {v for v in node.inputs if v is not None and shown_through(v) is not None}
    if len(transposed) == 0:
        return
    alone = all(len(v.uses()) == 1 and not v.is_graph_output() for v in transposed)
    if not (pays or alone or len(transposed) > 1):
        return
    change = RULES[node.op_type](Site(node, pays, edit))
    if change is not None:
        _apply(edit, node, change)


def _apply(edit: Editor, node: ir.Node, change: Relayout) -> None:
    for index, value in change.inputs.items():
        node.replace_input_with(index, value)
    for name, number in change.attributes.items():
        node.attributes[name] = ir.AttrInt64(name, number)
    for value in node.outputs:
        edit.show(value, change.perm)


def _finish(edit: Editor) -> None:
    """Drop what nobody needs; a Transpose that reorders nothing becomes a Reshape."""
    for node in reversed(list(edit.graph)):
        if not is_op(node, "Transpose"):
            continue
        value = node.outputs[0]
        if len(value.uses()) == 0 and not value.is_graph_output():
            edit.graph.remove(node, safe=True)
        elif (noise := _noise_behind(edit, value)) is not None:
            noise.shape = value.shape
            value.replace_all_uses_with(noise)
            edit.graph.remove(node, safe=True)
        else:
            edit.turn_into_reshape(node)


def _noise_behind(edit: Editor, value: ir.Value) -> ir.Value | None:
    """The noise that a Transpose reorders for itself alone, if that leaves the samples first."""
    shown = shown_through(value)
    if shown is None or value.is_graph_output():
        return None
    source, perm = shown
    own = source in edit.any_order and len(source.uses()) == 1
    return source if own and perm[0] == 0 else None
