"""Blockers of a gradient: every operator in its way, before any gradient is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir

import seqonnx.autodiff.rules as _rules
from seqonnx.autodiff.registry import find_rule, why_no_gradient
from seqonnx.autodiff.sources import carries_gradient, sources_of
from seqonnx.errors import GradientError
from seqonnx.graph.reading import scope_of

_SHOWN = 5


@dataclass(frozen=True)
class Blocker:
    """A node that a gradient cannot pass.

    Args:
        op_type: its operator.
        domain: the operator's domain; empty for the standard.
        node: its name.
        blocked: names of what is behind it: the values that would need the gradient.
        reason: why the operator has no gradient; None if it only has no rule yet.
    """

    op_type: str
    domain: str
    node: str
    blocked: tuple[str, ...]
    reason: str | None

    def __str__(self) -> str:
        blocked = list(self.blocked[:_SHOWN])
        more = "" if len(self.blocked) <= _SHOWN else f" and {len(self.blocked) - _SHOWN} more"
        why = "no gradient rule" if self.reason is None else f"no gradient: {self.reason}"
        return (
            f"operator {self.op_type} (domain '{self.domain or 'ai.onnx'}'), node '{self.node}', "
            f"layer '{scope_of(self.node) or '(none)'}': {why}. It blocks the gradient "
            f"of {blocked}{more}"
        )


def find_blockers(
    graph: ir.Graph, targets: Iterable[ir.Value], wrt: Mapping[ir.Value, str]
) -> list[Blocker]:
    """Find every node that keeps a gradient from what it is wanted for.

    A node without a rule blocks. So does one that is declared to have no gradient, where a value
    has no other way to the targets. What a node's subgraphs take from outside counts as its input.

    Args:
        graph: graph whose nodes stand in the order of execution.
        targets: values to differentiate.
        wrt: values whose gradients are wanted, with the names to call them by.

    Returns:
        The blockers in the order of the graph; none if all can be differentiated.
    """
    _rules.load()
    names = list(wrt.values())
    nodes = [(node, _sources(node)) for node in graph]
    behind = _behind(nodes, wrt)
    needed, arrived = set(targets), set(targets)
    blockers: list[tuple[ir.Node, int]] = []
    cuts: list[tuple[ir.Node, int]] = []
    for node, sources in reversed(nodes):
        if not any(value in needed for value in node.outputs):
            continue
        needed.update(sources)
        moving = [v for v in sources if behind.get(v, 0) and _may_carry(v)]
        mask = _union(behind, moving)
        if mask == 0:
            continue
        if why_no_gradient(node) is not None:
            cuts.append((node, mask))
        elif any(value in arrived for value in node.outputs):
            arrived.update(moving)
            if find_rule(node.domain, node.op_type) is None:
                blockers.append((node, mask))
    reached = sum(1 << i for i, value in enumerate(wrt) if value in arrived)
    found = [
        *((node, mask, None) for node, mask in blockers),
        *((n, mask & ~reached, why_no_gradient(n)) for n, mask in cuts),
    ]
    place = {node: i for i, (node, _) in enumerate(nodes)}
    return [
        Blocker(node.op_type, node.domain, node.name or "", _names(names, mask), reason)
        for node, mask, reason in sorted(found, key=lambda entry: place[entry[0]])
        if mask != 0
    ]


def refuse_blockers(
    graph: ir.Graph,
    targets: Iterable[ir.Value],
    wrt: Mapping[ir.Value, str],
    *,
    zero_counts: bool = False,
) -> None:
    """Raise an error that names every blocker (see `find_blockers`).

    Args:
        graph: graph whose nodes stand in the order of execution.
        targets: values to differentiate.
        wrt: values whose gradients are wanted, with the names to call them by.
        zero_counts: whether zero is a fair gradient behind an operator that is declared to have
            none; for training it is not, since nothing would be learned.

    Raises:
        GradientError: if there are any; names operators, nodes, layers, what is behind them and
            the ways out.
    """
    blockers = find_blockers(graph, targets, wrt)
    if zero_counts:
        blockers = [blocker for blocker in blockers if blocker.reason is None]
    if len(blockers) > 0:
        raise GradientError(refusal(blockers))


def refusal(blockers: Sequence[Blocker]) -> str:
    """Return the text of an error that names blockers and the ways out."""
    lines = "".join(f"\n  {blocker}." for blocker in blockers)
    ways = (
        "Either leave what is blocked out (of `wrt`, or of training with `layer.trainable = False`)"
    )
    kinds = dict.fromkeys((b.domain, b.op_type) for b in blockers if b.reason is None)
    rules = ", ".join(f'`@seqonnx.autodiff.gradient("{d}", "{o}")`' for d, o in kinds)
    other = f", or register a rule with {rules}." if len(kinds) > 0 else "."
    return f"This cannot be differentiated:{lines}\n{ways}{other}"


def _sources(node: ir.Node) -> list[ir.Value]:
    """The values that a node reads."""
    return [value for value in sources_of(node) if value is not None]


def _may_carry(value: ir.Value) -> bool:
    """Whether a gradient can pass a value, as far as its type is known."""
    return value.dtype is None or carries_gradient(value)


def _behind(
    nodes: Sequence[tuple[ir.Node, list[ir.Value]]], wrt: Iterable[ir.Value]
) -> dict[ir.Value, int]:
    """For each value the set of `wrt` that it depends on differentiably, one bit for each."""
    behind = {value: 1 << i for i, value in enumerate(wrt)}
    for node, sources in nodes:
        mask = _union(behind, sources)
        if mask != 0 and why_no_gradient(node) is None:
            for value in node.outputs:
                behind[value] = behind.get(value, 0) | mask
    return behind


def _union(behind: Mapping[ir.Value, int], values: Iterable[ir.Value]) -> int:
    mask = 0
    for value in values:
        mask |= behind.get(value, 0)
    return mask


def _names(names: Sequence[str], mask: int) -> tuple[str, ...]:
    return tuple(name for i, name in enumerate(names) if mask >> i & 1)
