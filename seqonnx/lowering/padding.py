"""Padding: zeros around a map are those that the convolution after it can add itself.

Networks such as MobileNet and ResNet pad in a layer of their own. Such a Pad is a copy that ONNX
Runtime makes with one thread, its gradient is another, and both are out of the blocked layout.
"""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.graph.reading import constant_ints, constant_number, input_at, is_op, known_rank


def merge_padding(graph: ir.Graph) -> None:
    """Let convolutions pad with the zeros that a Pad before them adds, in place.

    Args:
        graph: graph in the layout of the operators, with its outputs declared.

    Example:
        >>> from seqonnx.graph import Emitter
        >>> op = Emitter()
        >>> x, w = op.input("x", "float32", (1, 2, 5, 5)), op.input("w", "float32", (2, 2, 3, 3))
        >>> y = op.Conv(op.Pad(x, [0, 0, 1, 1, 0, 0, 1, 1]), w)
        >>> _ = op.output(y, "y")
        >>> merge_padding(op.graph)
        >>> [(node.op_type, list(node.attributes.get_ints("pads"))) for node in op.graph]
        [('Conv', [1, 1, 1, 1])]
    """
    for node in reversed(list(graph)):  # of two in a row the last first
        pads = _zeros_around(node) if is_op(node, "Pad") else None
        if pads is None:
            continue
        padded = node.outputs[0]
        readers = [use.node for use in padded.uses()]
        if padded.is_graph_output() or not all(_may_pad(one, padded) for one in readers):
            continue
        for reader in readers:
            own = list(reader.attributes.get_ints("pads", ()) or [0] * len(pads))
            both = [more + most for more, most in zip(own, pads, strict=True)]
            reader.attributes.add(ir.AttrInt64s("pads", both))
            reader.replace_input_with(0, node.inputs[0])
        graph.remove(node, safe=True)


def _zeros_around(node: ir.Node) -> list[int] | None:
    """The zeros that a Pad adds before and behind each spatial axis; None if it does more."""
    rank = known_rank(node.inputs[0])
    pads, value = constant_ints(input_at(node, 1)), input_at(node, 2)
    if rank is None or rank < 3 or pads is None or min(pads) < 0:
        return None
    if node.attributes.get_string("mode", "constant") != "constant":
        return None
    if value is not None and constant_number(value) != 0:
        return None
    axes = list(range(rank)) if input_at(node, 3) is None else constant_ints(input_at(node, 3))
    if axes is None:
        return None
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        before[axis], after[axis] = pads[place], pads[place + len(axes)]
    return None if any(before[:2] + after[:2]) else before[2:] + after[2:]


def _may_pad(node: ir.Node, padded: ir.Value) -> bool:
    """Whether a node is a convolution of a map with a padding that it states itself."""
    stated = node.attributes.get_string("auto_pad", "NOTSET") == "NOTSET"
    return is_op(node, "Conv") and stated and padded not in node.inputs[1:]
