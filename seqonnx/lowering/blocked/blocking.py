"""Convolutional regions in ONNX Runtime's blocked layout, with weights that change.

ONNX Runtime's fast convolutions keep a block of channels together (see `region`). Its own optimizer
puts them in only where the weights are constants, which those of a training step are not. Here the
operators are named in the graph: convolutions, the gradients of their inputs and of their weights,
normalisation and activation between them, pools, sums. What was measured stands in
`docs/performance.md`.

The graph works only on a processor that has the layout and with a build of ONNX Runtime that has
the operators: nothing of it may reach a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Final

import onnx_ir as ir

from seqonnx.graph.reading import is_op, is_standard, known_sizes, scope_of
from seqonnx.lowering.blocked import channels_last, elementwise, pools
from seqonnx.lowering.blocked.convolutions import convolution
from seqonnx.lowering.blocked.interleaving import interleaved
from seqonnx.lowering.blocked.region import BlockedRegion
from seqonnx.lowering.blocked.weight_gradients import weight_gradient

_Rule = Callable[[BlockedRegion, ir.Node], ir.Value | None]


def block_convolutions(graph: ir.Graph, block: int) -> None:
    """Compute what gains by it in the blocked layout, in place.

    Args:
        graph: graph for the CPU provider, without nodes that nothing uses; outputs keep their
            names.
        block: channels in a block, as the processor has it.

    Example:
        >>> op = Emitter()
        >>> x, w = op.input("x", "float32", (2, 8, 9, 9)), op.input("w", "float32", (8, 8, 3, 3))
        >>> _ = op.output(op.Relu(op.Conv(x, w)), "y")
        >>> block_convolutions(op.graph, 8)
        >>> [node.op_type for node in op.graph]
        ['ReorderInput', 'Reshape', 'Transpose', 'Reshape', 'Conv', 'ReorderOutput']
    """
    if not any(is_op(node, "Conv") for node in graph):
        return
    region = BlockedRegion(graph, block)
    given = list(graph)
    added: list[tuple[ir.Node, list[ir.Node]]] = []
    for node in given:
        if is_standard(node) and len(node.outputs) > 0:
            added.append((node, _take_in(region, node)))
    for node in reversed(given):
        added.append((node, _give_back(region, node)))
    _put_in_place(graph, added)
    _drop_unused(graph)


def _take_in(region: BlockedRegion, node: ir.Node) -> list[ir.Node]:
    """Compute the output of a node in the layout, or from what lies in it, if a rule says so.

    Returns:
        What was emitted, which is to stand before the node.
    """
    y, tail = node.outputs[0], next(reversed(region.op.graph))
    with region.op.scope(scope_of(node)):
        rules = _TWINS.get(node.op_type, ())
        made = next((m for rule in rules if (m := rule(region, node)) is not None), None)
        if made is not None:
            region.twins[y] = made
            region.native.add(y)
        elif node.op_type in _PLAIN:
            made = _PLAIN[node.op_type](region, node)
            if made is not None:
                _replace(y, made)
    return _behind(region.op.graph, tail)


def _give_back(region: BlockedRegion, node: ir.Node) -> list[ir.Node]:
    """Give the readers of a node that stay plain a plain value; where there is none, it stays.

    Returns:
        What was emitted, which is to stand before the node.
    """
    y = node.outputs[0]
    if y not in region.native or not (y.uses() or y.is_graph_output()) or not region.fits(y):
        return []
    tail = next(reversed(region.op.graph))
    with region.op.scope(scope_of(node)):
        sizes = known_sizes(y) or ()
        attributes = {"channels": sizes[1]}
        made = region.emit("ReorderOutput", [region.twins[y]], attributes, y, sizes)
    _replace(y, made)
    _let_go(node)
    return _behind(region.op.graph, tail)


def _replace(old: ir.Value, new: ir.Value) -> None:
    """Let all readers of a value read another."""
    if old.is_graph_output():
        new.name = old.name
    old.replace_all_uses_with(new, replace_graph_outputs=True)


def _behind(graph: ir.Graph, tail: ir.Node) -> list[ir.Node]:
    """The nodes behind the former last one of a graph."""
    return list(takewhile(lambda node: node is not tail, reversed(graph)))[::-1]


def _put_in_place(graph: ir.Graph, added: Sequence[tuple[ir.Node, list[ir.Node]]]) -> None:
    """Put nodes from the end of a graph before those that they belong to; all at once, because
    onnx_ir looks through all outputs of the graph at every removal."""
    graph.remove(node for _, nodes in added for node in nodes)
    for place, nodes in added:
        if len(nodes) > 0:
            graph.insert_before(place, nodes)


def _drop_unused(graph: ir.Graph) -> None:
    """Remove the nodes that nothing uses, and constants that came into the layout."""
    unused = []
    for node in reversed(graph):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            _let_go(node)
            unused.append(node)
    graph.remove(unused)
    for name, value in list(graph.initializers.items()):
        if not (value.uses() or value.is_graph_output() or value.is_graph_input()):
            del graph.initializers[name]


def _let_go(node: ir.Node) -> None:
    """Let a node read nothing any more, so that what only it reads is unused, too."""
    for i in range(len(node.inputs)):
        node.replace_input_with(i, None)


_TWINS: Final[Mapping[str, tuple[_Rule, ...]]] = {
    **dict.fromkeys(elementwise.ELEMENTWISE, (elementwise.elementwise,)),
    "AveragePool": (pools.pool,),
    "BatchNormalization": (elementwise.normalization,),
    "Concat": (pools.side_by_side,),
    "Conv": (weight_gradient, convolution),
    "MaxPool": (pools.pool,),
    "ReduceSum": (pools.over_images,),
    "Reshape": (interleaved, pools.maps_as_kernels, pools.regrouped),
    "Resize": (pools.enlarged,),
    "Slice": (pools.every_so_many,),
    "Transpose": (channels_last.to_first,),
}
"""Rules that compute the twin of a node's output, by operator; the first that applies is taken."""

_PLAIN: Final[Mapping[str, _Rule]] = {
    **dict.fromkeys(("GlobalAveragePool", "ReduceMean", "ReduceSum"), pools.over_space),
    "Gemm": channels_last.product_of_pixels,
    "Transpose": channels_last.to_last,
}
"""Rules that compute the output itself from a twin."""
