"""Scattering with a reduction, and masks of triangles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.export.adapters.registry import NotInOperatorSetError, adapter, drop, integers
from seqonnx.graph import Emitter
from seqonnx.graph.reading import input_at, numpy_dtype


def _sums_and_products(op: Emitter, node: ir.Node) -> None:
    reduction = node.attributes.get_string("reduction", "none")
    if reduction in ("min", "max"):
        raise NotInOperatorSetError(f'it reduces with "{reduction}"')


def _no_reduction(op: Emitter, node: ir.Node) -> None:
    reduction = node.attributes.get_string("reduction", "none")
    if reduction != "none":
        raise NotInOperatorSetError(f'it reduces with "{reduction}"')
    drop(node, "reduction")


for _name in ("ScatterElements", "ScatterND"):
    adapter(_name, 18)(_sums_and_products)
    adapter(_name, 16)(_no_reduction)


@adapter("Trilu", 14)
def _triangle(op: Emitter, node: ir.Node) -> Sequence[ir.Value]:
    """Keep what stands on the right side of a diagonal, by comparing row and column."""
    x, shift = node.inputs[0], input_at(node, 1)
    assert x is not None
    zero, one = op.constant(np.array(0, np.int64)), op.constant(np.array(1, np.int64))
    shape = op.Shape(x)
    rows, columns = (op.Gather(shape, op.constant(np.array(i, np.int64))) for i in (-2, -1))
    row = op.Unsqueeze(op.Range(zero, rows, one), integers(op, [1]))
    column = op.Range(zero, columns, one)
    if shift is not None:
        row = op.Add(row, op.Reshape(shift, integers(op, [1, 1])))
    upper = node.attributes.get_int("upper", 1) == 1
    kept = op.GreaterOrEqual(column, row) if upper else op.LessOrEqual(column, row)
    return [op.Where(kept, x, op.constant(np.zeros((), numpy_dtype(x))))]
