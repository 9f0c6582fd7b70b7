"""A graph of which a part is computed in ONNX Runtime's blocked layout.

The layout keeps a block of channels together: an activation [N, C, H, W] lies in memory as
[N, C / B, H, W, B], with B the block size of the processor. Its tensor keeps the shape
[N, C, H, W], so that operators that work element by element do not notice. Where C is no multiple
of B, the last block is filled up: with zeros at first, and with whatever operators make of them.
Nothing reads those channels but what works channel by channel.

Every value may have a twin in that layout. A twin is *native* where an operator computes it so, and
reordered where a plain value was rearranged for a reader that is blocked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.attributes import to_attributes
from seqonnx.graph.reading import is_op, known_sizes
from seqonnx.lowering.blocks import fills_blocks, padded_channels

DOMAIN: Final = "com.microsoft.nchwc"
"""The domain of ONNX Runtime's operators for the layout."""


class BlockedRegion:
    """The blocked part of a graph, as far as it has grown.

    Args:
        graph: the graph; new nodes go to its end until they are moved.
        block: channels in a block.
    """

    def __init__(self, graph: ir.Graph, block: int) -> None:
        self.op = Emitter(graph)
        self.block = block
        self.twins: dict[ir.Value, ir.Value] = {}
        self.native: set[ir.Value] = set()
        self.last: dict[ir.Value, ir.Value] = {}
        self.kernels: dict[ir.Value, ir.Value] = {}
        self._given = frozenset(graph)

    def fits(self, value: ir.Value | None) -> bool:
        """Whether a value can have a twin: a float32 map of nearly whole blocks of channels."""
        if value is None or value.dtype is not ir.DataType.FLOAT:
            return False
        return self.has_blocks(value)

    def has_blocks(self, value: ir.Value) -> bool:
        """Whether a value of any type is a map of nearly whole blocks of channels."""
        sizes = known_sizes(value)
        return sizes is not None and len(sizes) == 4 and fills_blocks(sizes[1], self.block)

    def is_whole(self, value: ir.Value) -> bool:
        """Whether no channels of a map are missing to whole blocks."""
        return self.has_blocks(value) and (known_sizes(value) or ())[1] % self.block == 0

    def channels(self, value: ir.Value) -> int:
        """How many channels the twin of a map has."""
        return padded_channels((known_sizes(value) or ())[1], self.block)

    def for_channels(self, value: ir.Value, like: ir.Value, axes: int = 1) -> ir.Value:
        """Numbers, one for each channel of a map, as many as its twin has channels.

        Args:
            value: the numbers.
            like: the map.
            axes: axes of the result, of which the first has the channels.
        """
        given, wanted = (known_sizes(like) or ())[1], self.channels(like)
        numbers = _without_axes(value)
        if known_sizes(numbers) != (given,):
            numbers = self.reshaped(numbers, [given])
        if given < wanted:
            numbers = self.op.Pad(numbers, np.array([0, wanted - given]))
        return numbers if axes == 1 else self.reshaped(numbers, [wanted, *[1] * (axes - 1)])

    def is_native(self, value: ir.Value | None) -> bool:
        """Whether the twin of a value is computed as such."""
        return value is not None and value in self.native

    def twin(self, value: ir.Value) -> ir.Value:
        """The twin of a value; one that has none is reordered here."""
        if value not in self.twins:
            self.twins[value] = self.emit("ReorderInput", [value], {}, like=value)
        return self.twins[value]

    def emit(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Any],
        like: ir.Value,
        shape: Sequence[int] | None = None,
        domain: str = DOMAIN,
    ) -> ir.Value:
        """Append a node of one output: the type of `like`, by default the shape of its twin."""
        name = self.op.unique_name(op_type)
        node = ir.Node(domain, op_type, inputs, to_attributes(attributes), name=name)
        made = node.outputs[0]
        made.name, made.type = name, like.type
        if shape is None:
            images, _, *space = known_sizes(like) or ()
            shape = [images, self.channels(like), *space]
        made.shape = ir.Shape(shape)
        self.op.graph.append(node)
        if domain == DOMAIN:
            self.op.graph.opset_imports.setdefault(DOMAIN, 1)
        return made

    def reshaped(self, value: ir.Value, shape: Sequence[int]) -> ir.Value:
        """The same memory under another shape."""
        return self.emit(
            "Reshape", [value, self.op.constant(np.array(shape))], {}, value, shape, domain=""
        )

    def only_reader(self, value: ir.Value, node: ir.Node) -> bool:
        """Whether no other node of the given graph reads a value, and it is no output."""
        readers = {use.node for use in value.uses()} & self._given
        return readers == {node} and not value.is_graph_output()

    def readers(self, value: ir.Value) -> set[ir.Node]:
        """The nodes of the given graph that read a value."""
        return {use.node for use in value.uses()} & self._given

    def open_convolution(self, value: ir.Value, reader: ir.Node) -> ir.Node | None:
        """The convolution that makes a twin, if what its only reader does can go into it."""
        made = self.twins.get(value)
        node = None if made is None or value not in self.native else made.producer()
        if node is None or node.domain != DOMAIN or node.op_type != "Conv":
            return None
        closed = "activation" in node.attributes
        return None if closed or not self.only_reader(value, reader) else node


def _without_axes(value: ir.Value) -> ir.Value:
    """The value of which this one has the numbers, with more axes of one."""
    node = value.producer()
    while node is not None and is_op(node, "Unsqueeze") and node.inputs[0] is not None:
        value = node.inputs[0]
        node = value.producer()
    return value


def swapped(value: ir.Value | None) -> ir.Value | None:
    """The value of which a Transpose swaps the first two axes; None for anything else."""
    node = None if value is None else value.producer()
    if not is_op(node, "Transpose") or node is None:
        return None
    order = node.attributes.get_ints("perm", ())
    return node.inputs[0] if list(order or ()) == [1, 0, 2, 3] else None
