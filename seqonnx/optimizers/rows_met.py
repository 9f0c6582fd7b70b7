"""Lazy updates: of a table that asks for it, a step moves only the rows that the batch has met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import onnx_ir as ir

from seqonnx.graph import Emitter, Variable
from seqonnx.graph.row_sums import row_sums
from seqonnx.lowering.row_totals import row_totals

_LAZY: Final = "seqonnx.lazy"
_SETTINGS: Final = ("clipnorm", "clipvalue", "global_clipnorm", "weight_decay")


def mark_lazy(optimizer: Any, grads: Mapping[Variable, ir.Value]) -> None:
    """Note at the gradients of tables declared as sparse that only met rows are to move.

    Args:
        optimizer: the optimizer that will update them.
        grads: the gradients.

    Raises:
        ValueError: if the optimizer, or what the gradient is made of, moves every row.
    """
    for weight, grad in grads.items():
        if weight._sparse:
            obstacle = _obstacle(optimizer, grad)
            if obstacle is not None:
                raise ValueError(
                    f"`{weight.path}` was declared with sparse=True, so that a step moves only the "
                    f"rows that the batch has met, but {obstacle}. "
                    "Leave out `sparse=True`, or that."
                )
            grad.meta[_LAZY] = True


def is_lazy(grad: ir.Value) -> bool:
    """Whether `mark_lazy` has noted that only met rows are to move."""
    return bool(grad.meta.get(_LAZY, False))


def update_lazily(
    optimizer: Any,
    op: Emitter,
    param: ir.Value,
    grad: ir.Value,
    slots: Mapping[str, ir.Value],
    scalars: Mapping[str, ir.Value],
) -> tuple[ir.Value, dict[str, ir.Value]] | None:
    """Emit the update of the rows that were met; None unless `mark_lazy` has asked for it.

    Args:
        optimizer: the optimizer.
        op: emitter of the graph.
        param: the table.
        grad: its gradient.
        slots: its slots, of the table's shape.
        scalars: see `Optimizer.update`.
    """
    met = row_totals(op, grad) if is_lazy(grad) else None
    if met is None:
        return None
    rows = {key: met.of(op, slot) for key, slot in slots.items()}
    new, changed = optimizer.update(op, met.of(op, param), met.totals, rows, scalars)
    return met.put(op, param, new), {k: met.put(op, slots[k], v) for k, v in changed.items()}


def _obstacle(optimizer: Any, grad: ir.Value) -> str | None:
    """The reason why every row moves, as the end of a sentence; None: they do not."""
    name = type(optimizer).__name__
    for setting in _SETTINGS:
        if getattr(optimizer, setting) is not None:
            return f"{setting}={getattr(optimizer, setting)} of {name} needs all of them"
    if optimizer._on_tensors() or not optimizer._is_elementwise():
        return f"the update of {name} is not one of each element by itself"
    if len(row_sums(grad)) == 0:
        return (
            "its gradient is more than a sum of rows (a penalty on the table, another use of it, "
            "gathered or scaled gradients, half precision, several processes)"
        )
    return None
