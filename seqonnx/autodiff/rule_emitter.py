"""What a gradient rule works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.operators import Operators

Choose = Callable[[ir.Node, Sequence[bool], Sequence[str]], str]
"""Chooses how to compute a gradient: gets the node, for each input whether it wants a gradient, and
the names of the ways, the best by rule first."""


def by_rule(node: ir.Node, wanted: Sequence[bool], ways: Sequence[str]) -> str:
    """Choose what the measured rules of thumb prefer."""
    return ways[0]


class RuleEmitter(Operators):
    """What a gradient rule gets as `op`: the graph's operators, and what the rule may ask.

    Args:
        emitter: the emitter of the graph.
        wanted: for each input of the node, whether it wants a gradient.
        device: `"cpu"` or `"cuda"`, for rules that choose a formulation by it.
        choose: decides where a rule offers several ways.
    """

    def __init__(
        self, emitter: Emitter, wanted: Sequence[bool], device: str, choose: Choose = by_rule
    ) -> None:
        self.emitter = emitter
        self.device = device
        self._wanted = wanted
        self._choose = choose

    def needs(self, index: int) -> bool:
        """Whether input `index` of the node wants a gradient."""
        return index < len(self._wanted) and self._wanted[index]

    def choose(self, node: ir.Node, ways: Sequence[str]) -> str:
        """Return one of several ways to compute the gradients of a node.

        Args:
            node: the node.
            ways: their names, the best by rule first.
        """
        return ways[0] if len(ways) == 1 else self._choose(node, self._wanted, ways)

    def constant(self, array: Any, name: str = "constant") -> ir.Value:
        """Add a constant array (see `Emitter.constant`)."""
        return self.emitter.constant(array, name)

    def emit(self, op_type: str, args: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        """Append one node (see `Emitter.emit`)."""
        return self.emitter.emit(op_type, args, attributes)
