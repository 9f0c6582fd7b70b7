"""Recomputation: activations that the backward pass needs are computed again, not kept.

A second forward pass for less memory. The copies of a segment must start from something that is
known only when the backward pass arrives there: ONNX Runtime would otherwise merge them with what
they are copies of, or run them at once. So one input of each first copy goes through a Reshape to
its own shape, which moves no data, and that shape is a list of zeros ("as it is") concatenated
with an empty piece of the gradients that must be there first. Nothing of this can be folded, as
the gradient is not known before.

Those gradients are the one that arrives at the segment and those of the weights behind it. With
the latter, the gradients of activations that they are made from can die before more is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.reading import bytes_of, is_gradient
from seqonnx.lowering.segments import ForwardNodes, taken, with_bodies
from seqonnx.lowering.unused import drop_unused

_SCOPE = "grad/recompute"


def recompute_activations(
    graph: ir.Graph, data: Sequence[ir.Value], keep: Sequence[str] | None = None
) -> list[list[str]]:
    """Let the backward pass of a step graph compute activations again, in place.

    Results stay what they are: noise is an input of the graph, and what a step writes, such as
    moving averages, is still computed once.

    Args:
        graph: a step graph, sorted; gradients and updates are told by their scopes.
        data: its inputs that change with the batch: data, targets and noise.
        keep: names of layers whose outputs are kept; None chooses so that little is alive at once.

    Returns:
        For each segment that is computed again, the names of the nodes.

    Example:
        >>> recompute_activations(graph, [x, y], ["block3_pool"])  # doctest: +SKIP
    """
    forward = ForwardNodes(graph, data)
    cuts = forward.best_cuts() if keep is None else forward.cuts_after(keep)
    kept = forward.kept(cuts)
    tied: set[ir.Value] = set()
    repeated = []
    # Constants go in as arrays: an emitter on a graph that exists names no others safely.
    op = Emitter(graph)
    for start, end in reversed(list(zip([0, *cuts], cuts, strict=False))):
        again = {v for v in forward.used - kept if start <= forward.made[v] < end}
        nodes = _needed(forward, again, kept)
        earlier = {v for v in forward.used - kept if forward.made[v] < start}
        arrived = _arrived(graph, again, earlier, forward, tied)
        if len(nodes) == 0 or len(arrived) == 0:
            continue
        tied.update(arrived)
        _repeat(op, nodes, again, arrived, forward)
        repeated.append([str(node.name) for node in nodes])
    # What was appended depends on no earlier segment, so that no search above minded the order.
    graph.sort()
    # What only the backward pass read is now read from the copies.
    drop_unused(graph)
    return repeated


def _needed(
    forward: ForwardNodes, wanted: Iterable[ir.Value], kept: set[ir.Value]
) -> list[ir.Node]:
    """Nodes that lead from what is kept to the wanted values, in order."""
    positions: set[int] = set()
    stack = list(wanted)
    while stack:
        value = stack.pop()
        position = forward.made.get(value)
        if position is not None and position not in positions and value not in kept:
            positions.add(position)
            stack.extend(taken(forward.nodes[position]))
    return [forward.nodes[position] for position in sorted(positions)]


def _arrived(
    graph: ir.Graph,
    again: set[ir.Value],
    earlier: set[ir.Value],
    forward: ForwardNodes,
    tied: set[ir.Value],
) -> list[ir.Value]:
    """Gradients to wait for: the last one that is known without `again`, and those of weights.

    Nothing of `earlier` segments may be among them or before them: these wait in their turn for
    gradients that `again` leads to.
    """
    front: dict[ir.Value, int] = {}
    depths: dict[ir.Value, int] = {}
    gradients: list[ir.Value] = []
    behind = set(again)
    too_early = set(earlier)
    first = set(forward.nodes)
    for node in graph:
        read = dict.fromkeys(taken(node))
        depth = 1 + max((depths.get(value, 0) for value in read), default=0)
        depths.update(dict.fromkeys(node.outputs, depth))
        if node in first:
            continue
        if not behind.isdisjoint(read):
            behind.update(node.outputs)
            if is_gradient(node):
                gradients.extend(value for value in read if value in front)
        elif too_early.isdisjoint(read):
            front.update(dict.fromkeys(node.outputs, depth))
        else:
            too_early.update(node.outputs)
    if len(gradients) == 0:
        return []
    last = max(gradients, key=lambda value: front[value])
    weights = [v for v in front if _of_weight(v) and v not in tied and v is not last]
    return [last, *weights]


def _of_weight(value: ir.Value) -> bool:
    """Whether a value is a gradient that the optimizer takes."""
    node = value.producer()
    if node is None or not is_gradient(node):
        return False
    users = [user for user, _ in value.uses() if user.graph is node.graph]
    return not all(map(is_gradient, users))


def _repeat(
    op: Emitter,
    nodes: Sequence[ir.Node],
    again: set[ir.Value],
    arrived: Sequence[ir.Value],
    forward: ForwardNodes,
) -> None:
    """Copy nodes and let the backward pass use what the copies make."""
    first = {inner for node in forward.nodes for inner in with_bodies(node)}
    with op.scope(_SCOPE):
        late = _Late(op, _empty(op, arrived))
        copies: dict[ir.Value, ir.Value] = {}
        for node in nodes:
            _copy(op, node, copies, late)
    for value in again:
        for user, index in list(value.uses()):
            if user not in first:
                user.replace_input_with(index, copies[value])


class _Late:
    """Gives values again that are known only after the gradients in `empty`."""

    def __init__(self, op: Emitter, empty: ir.Value) -> None:
        self._op = op
        self._empty = empty
        self._shapes: dict[int, ir.Value] = {}
        self._values: dict[ir.Value, ir.Value] = {}

    def of(self, value: ir.Value) -> ir.Value:
        """Return `value`, later."""
        if value not in self._values:
            rank = 0 if value.shape is None else len(value.shape)
            if rank not in self._shapes:
                same = np.zeros(rank, np.int64)
                self._shapes[rank] = self._op.Concat(same, self._empty, axis=0)
            made = self._op.Reshape(value, self._shapes[rank])
            made.shape, made.type = value.shape, value.type
            self._values[value] = made
        return self._values[value]


def _empty(op: Emitter, values: Sequence[ir.Value]) -> ir.Value:
    """An empty vector of integers that is known only when all the values are."""
    none, start = np.zeros(1, np.int64), np.zeros(1, np.int64)
    pieces = []
    for value in values:
        vector = value if value.shape is None or len(value.shape) > 0 else op.Unsqueeze(value, none)
        piece = op.Reshape(op.Slice(vector, start, start), none, allowzero=1)
        pieces.append(op.Cast(piece, to=ir.DataType.INT64))
    made: ir.Value = pieces[0] if len(pieces) == 1 else op.Concat(*pieces, axis=0)
    return made


def _copy(op: Emitter, node: ir.Node, copies: dict[ir.Value, ir.Value], late: _Late) -> None:
    """Append a copy of a node that reads copies where there are some."""
    inputs = [value if value is None else copies.get(value, value) for value in node.inputs]
    if not any(value in copies for value in node.inputs if value is not None):
        index = _smallest(inputs)
        value = inputs[index]
        assert value is not None
        inputs[index] = late.of(value)
    name = op.unique_name(str(node.name))
    copy = ir.Node(
        node.domain,
        node.op_type,
        inputs,
        node.attributes.values(),
        num_outputs=len(node.outputs),
        version=node.version,
        name=name,
    )
    op.graph.append(copy)
    for i, (old, new) in enumerate(zip(node.outputs, copy.outputs, strict=True)):
        new.name = name if len(node.outputs) == 1 else f"{name}.{i}"
        new.shape, new.type = old.shape, old.type
        copies[old] = new


def _smallest(values: Sequence[ir.Value | None]) -> int:
    """Index of the smallest input that is no constant: where it is used once more it is copied."""
    sizes = {
        index: bytes_of(value)
        for index, value in enumerate(values)
        if value is not None and not value.is_initializer() and value.shape is not None
    }
    return min(sizes, key=lambda index: sizes[index])
