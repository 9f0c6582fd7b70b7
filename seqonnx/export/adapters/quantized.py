"""Quantisation: what the dtype of the zero point said before there was an attribute for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from seqonnx.export.adapters.registry import NotInOperatorSetError, adapter, drop, emit_again
from seqonnx.graph import Emitter
from seqonnx.graph.reading import input_at


@adapter("QuantizeLinear", 23)
def _without_precision(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    given, scale = node.attributes.get_int("precision", 0), node.inputs[1]
    assert scale is not None
    if given not in (0, scale.dtype):
        raise NotInOperatorSetError(f"it computes in a precision of its own ({given})")
    drop(node, "precision")
    return None


@adapter("QuantizeLinear", 21)
def _without_output_dtype(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    _refuse_blocks(node)
    wanted = ir.DataType(node.attributes.get_int("output_dtype", 0))
    drop(node, "block_size", "output_dtype")
    if wanted in (ir.DataType.UNDEFINED, ir.DataType.UINT8) or input_at(node, 2) is not None:
        return None
    scale = node.inputs[1]
    assert scale is not None
    shape = [] if scale.shape is None else [size for size in scale.shape if isinstance(size, int)]
    zero = op.constant(np.zeros(shape, wanted.numpy()), "zero_point")
    return [emit_again(op, node, [node.inputs[0], scale, zero])]


@adapter("DequantizeLinear", 23)
def _without_other_output(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    wanted, scale = node.attributes.get_int("output_dtype", 0), node.inputs[1]
    assert scale is not None
    if wanted in (0, scale.dtype):
        drop(node, "output_dtype")
        return None
    return [op.Cast(emit_again(op, node, node.inputs, output_dtype=None), to=wanted)]


@adapter("DequantizeLinear", 21)
def _without_blocks(op: Emitter, node: ir.Node) -> Sequence[ir.Value] | None:
    _refuse_blocks(node)
    drop(node, "block_size")
    return None


def _refuse_blocks(node: ir.Node) -> None:
    if (size := node.attributes.get_int("block_size", 0)) != 0:
        raise NotInOperatorSetError(f"its scales are those of blocks of {size}")
