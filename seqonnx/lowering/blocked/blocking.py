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

from collections.abc import Callable, Mapping
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
    for node in given:
        if is_standard(node) and len(node.outputs) > 0:
            _take_in(region, node)
    for node in reversed(given):
        _give_back(region, node)
    for node in reversed(list(graph)):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)


def _take_in(region: BlockedRegion, node: ir.Node) -> None:
    """Compute the output of a node in the layout, or from what lies in it, if a rule says so."""
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
    _move(region, tail, node)


def _give_back(region: BlockedRegion, node: ir.Node) -> None:
    """Give the readers of a node that stay plain a plain value; where there is none, it stays."""
    y = node.outputs[0]
    if y not in region.native or not (y.uses() or y.is_graph_output()) or not region.fits(y):
        return
    tail = next(reversed(region.op.graph))
    with region.op.scope(scope_of(node)):
        sizes = known_sizes(y) or ()
        attributes = {"channels": sizes[1]}
        made = region.emit("ReorderOutput", [region.twins[y]], attributes, y, sizes)
    _replace(y, made)
    _move(region, tail, node)
    region.op.graph.remove(node, safe=True)


def _replace(old: ir.Value, new: ir.Value) -> None:
    """Let all readers of a value read another."""
    if old.is_graph_output():
        new.name = old.name
    old.replace_all_uses_with(new, replace_graph_outputs=True)


def _move(region: BlockedRegion, tail: ir.Node, node: ir.Node) -> None:
    """Put the nodes behind the former last one of the graph before a node."""
    added: list[ir.Node] = []
    for one in reversed(region.op.graph):
        if one is tail:
            break
        added.append(one)
    if added:
        region.op.graph.remove(added)
        region.op.graph.insert_before(node, added[::-1])


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
