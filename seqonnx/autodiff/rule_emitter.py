"""What a gradient rule works with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.emitter import Operator


class RuleEmitter:
    """What a gradient rule gets as `op`: the graph's operators, and what the rule may ask.

    Args:
        emitter: the emitter of the graph.
        wanted: for each input of the node, whether it wants a gradient.
        device: `"cpu"` or `"cuda"`, for rules that choose a formulation by it.
    """

    def __init__(self, emitter: Emitter, wanted: Sequence[bool], device: str) -> None:
        self.emitter = emitter
        self.device = device
        self._wanted = wanted

    def needs(self, index: int) -> bool:
        """Whether input `index` of the node wants a gradient."""
        return index < len(self._wanted) and self._wanted[index]

    def constant(self, array: Any, name: str = "constant") -> ir.Value:
        """Add a constant array (see `Emitter.constant`)."""
        return self.emitter.constant(array, name)

    def __getattr__(self, op_type: str) -> Operator:
        return self.emitter.__getattr__(op_type)
