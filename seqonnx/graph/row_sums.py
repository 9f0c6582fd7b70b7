"""A note at the gradient of a table: which slices were added to which rows, zeros elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import onnx_ir as ir

from seqonnx.graph.reading import is_op

_KEY: Final = "seqonnx.row_sums"


@dataclass(frozen=True)
class RowSum:
    """Slices, and the rows of a table of zeros that they are added to.

    Args:
        indices: numbers of the rows, of any rank; negative ones count from the end.
        slices: the axes of `indices`, then those of a row.
    """

    indices: ir.Value
    slices: ir.Value


def note_row_sum(value: ir.Value, note: RowSum) -> None:
    """Note at a value that it is zeros with slices added to some rows.

    Args:
        value: the table.
        note: the slices.
    """
    value.meta[_KEY] = note


def row_sums(value: ir.Value) -> Sequence[RowSum]:
    """The slices that a table is the sum of; none where it is something else.

    The sum of two such tables, as of one that is read twice, is one.

    Args:
        value: the table.
    """
    found: list[RowSum] = []
    stack = [value]
    while stack:
        current = stack.pop()
        note = current.meta.get(_KEY)
        node = current.producer()
        if note is not None:
            found.append(note)
        elif node is not None and is_op(node, "Add"):
            stack += [summand for summand in reversed(node.inputs) if summand is not None]
        else:
            return ()
    return found
