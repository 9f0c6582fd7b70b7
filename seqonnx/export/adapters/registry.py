"""The table of adapters, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import onnx_ir as ir

from seqonnx.graph import Emitter
from seqonnx.graph.reading import known_rank, numpy_dtype

Adapter = Callable[[Emitter, ir.Node], Sequence[ir.Value] | None]
"""Emits what takes the place of a node's outputs; or None: the node, as it now is, stays."""

ADAPTERS: Final[dict[tuple[str, int], Adapter]] = {}
"""Adapters by operator and the operator set whose meaning they take."""


class NotInOperatorSetError(ValueError):
    """A lower operator set cannot say what a node computes; the text is the reason."""


def adapter(op_type: str, since: int) -> Callable[[Adapter], Adapter]:
    """Register an adapter of an operator.

    Args:
        op_type: the operator.
        since: the operator set in which it came, or changed: the adapter leads below it.
    """

    def register(function: Adapter) -> Adapter:
        if (op_type, since) in ADAPTERS:
            raise ValueError(f"There are two adapters of {op_type} for operator set {since}.")
        ADAPTERS[op_type, since] = function
        return function

    return register


def integers(op: Emitter, values: Sequence[int]) -> ir.Value:
    """Return a constant vector of int64."""
    return op.constant(np.array(values, np.int64))


def number(op: Emitter, value: float, like: ir.Value) -> ir.Value:
    """Return a constant scalar of the dtype of another value."""
    return op.constant(np.array(value, numpy_dtype(like)))


def rank_of(value: ir.Value) -> int:
    """Return the number of axes of a value.

    Raises:
        NotInOperatorSetError: if it is not known.
    """
    rank = known_rank(value)
    if rank is None:
        raise NotInOperatorSetError(f"the number of axes of '{value.name}' is not known")
    return rank


def drop(node: ir.Node, *names: str) -> None:
    """Remove attributes of a node."""
    for name in names:
        node.attributes.pop(name, None)


def emit_again(op: Emitter, node: ir.Node, inputs: Sequence[Any], **changed: Any) -> Any:
    """Emit a node of the same operator and attributes; a changed one that is None is left out.

    Args:
        op: emitter of the graph.
        node: the node.
        inputs: its inputs.
        **changed: attributes with other values.
    """
    attributes = {name: attribute.value for name, attribute in node.attributes.items()} | changed
    kept = {name: value for name, value in attributes.items() if value is not None}
    return op.emit(node.op_type, inputs, kept | {"_outputs": len(node.outputs)})
