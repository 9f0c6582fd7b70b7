"""Segments: where the forward pass of a step graph is cut for recomputation.

The values that cross a cut are kept until the backward pass; what lies between two cuts is
computed again, one segment at a time. Peak memory is about the kept values and the largest
segment: for n equal layers sqrt(n) cuts are best (T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training
Deep Nets with Sublinear Memory Cost", 2016).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import onnx_ir as ir

from seqonnx.graph.reading import bytes_of, is_gradient, is_in, scope_of, subgraphs_of

_RANDOM: Final = frozenset(
    {"Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike"}
    | {"RandomUniform", "RandomUniformLike"}
)


class ForwardNodes:
    """The forward pass of a step graph: what depends on the batch, but on no gradient.

    Args:
        graph: the step graph, sorted.
        data: its inputs that change with the batch: data, targets and noise.

    Attributes:
        nodes: nodes in order, those of loss and metrics included.
        made: for each value, the position of its node.
        used: values that the backward pass reads.
        cuts: positions where a layer has ended and another begins.
    """

    def __init__(self, graph: ir.Graph, data: Iterable[ir.Value]) -> None:
        self.nodes: list[ir.Node] = []
        self.made: dict[ir.Value, int] = {}
        self.used: set[ir.Value] = set()
        moving = set(data)
        for node in graph:
            read = set(taken(node))
            if read.isdisjoint(moving):
                continue
            moving.update(node.outputs)
            if _is_backward(node) or not (read & moving) <= (self.made.keys() | set(data)):
                self.used.update(value for value in read if value in self.made)
            else:
                self.made.update(dict.fromkeys(node.outputs, len(self.nodes)))
                self.nodes.append(node)
        self.cuts = list(self._cuts())
        self._last_use = self._last_uses()
        self._once = {v for v, at in self.made.items() if _computed_once(self.nodes[at])}
        self._sizes = {value: bytes_of(value) for value in self.made}

    def kept(self, cuts: Sequence[int]) -> set[ir.Value]:
        """Values that cross one of the cuts, and those that cannot be computed again."""
        return {
            value
            for value, position in self.made.items()
            if bisect_right(cuts, position) < bisect_right(cuts, self._last_use[value])
            or value in self._once
        }

    def peak(self, cuts: Sequence[int]) -> int:
        """Bytes that are alive at once: what is kept, and the largest segment."""
        kept = self.kept(cuts)
        segments = [0] * (len(cuts) + 1)
        for value in self.used - kept:
            segments[bisect_right(cuts, self.made[value])] += self._sizes[value]
        return sum(self._sizes[value] for value in kept) + max(segments)

    def best_cuts(self) -> list[int]:
        """Choose the cuts for which `peak` is smallest, among segments of about equal size."""
        total = sum(self._sizes[value] for value in self.used)
        plans: list[list[int]] = [[]]
        plans += [
            self._equal(total / count, cuts)
            for cuts in (self.cuts, self._narrow())
            for count in range(2, min(len(cuts), 64) + 2)
        ]
        return min(plans, key=lambda cuts: (self.peak(cuts), len(cuts)))

    def cuts_after(self, names: Iterable[str]) -> list[int]:
        """The cuts right behind the layers of these names."""
        wanted = set(names)
        paths = [set(scope_of(node).split("/")) for node in self.nodes]
        return [cut for cut in self.cuts if wanted & (paths[cut - 1] - paths[cut])]

    def _equal(self, share: float, cuts: Sequence[int]) -> list[int]:
        """Cut wherever `share` bytes have come together since the last cut."""
        sizes = [0] * len(self.nodes)
        for value in self.used:
            sizes[self.made[value]] += self._sizes[value]
        chosen: list[int] = []
        start = 0
        for cut in cuts:
            if sum(sizes[start:cut]) >= share:
                chosen.append(cut)
                start = cut
        return chosen

    def _narrow(self) -> list[int]:
        """Cuts that a single value crosses."""
        return [cut for cut in self.cuts if sum(self._crosses(v, cut) for v in self.made) == 1]

    def _crosses(self, value: ir.Value, cut: int) -> bool:
        return self.made[value] < cut <= self._last_use[value]

    def _cuts(self) -> Iterator[int]:
        for position in range(1, len(self.nodes)):
            before, after = self.nodes[position - 1], self.nodes[position]
            if is_in(after, "loss", "metrics"):
                return
            if scope_of(before) != scope_of(after):
                yield position

    def _last_uses(self) -> dict[ir.Value, int]:
        last = dict(self.made)
        for position, node in enumerate(self.nodes):
            last.update((value, position) for value in taken(node) if value in last)
        return last


def taken(node: ir.Node) -> Iterator[ir.Value]:
    """Values that a node reads, and the nodes in its bodies."""
    for inner in with_bodies(node):
        yield from (value for value in inner.inputs if value is not None)
        for body in subgraphs_of(inner):
            yield from body.outputs


def with_bodies(node: ir.Node) -> Iterator[ir.Node]:
    """A node and all nodes in the bodies of Scan, Loop and If."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(inner for body in subgraphs_of(current) for inner in body)


def _is_backward(node: ir.Node) -> bool:
    """Whether a node belongs to the gradients or to the optimizer, by its scope."""
    return is_gradient(node) or is_in(node, "optimizer")


def _computed_once(node: ir.Node) -> bool:
    """Whether a second computation would be another one, or is too involved."""
    ranks_known = all(value is None or value.shape is not None for value in node.inputs)
    return node.op_type in _RANDOM or len(subgraphs_of(node)) > 0 or not ranks_known
