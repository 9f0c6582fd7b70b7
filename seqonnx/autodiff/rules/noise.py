"""Gradient of dropout."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import constant_of, input_at


@gradient("", "Dropout")
def dropout(op: RuleEmitter, node: ir.Node, dy: ir.Value, _: ir.Value | None = None) -> Gradients:
    """To the elements that were kept, scaled as they were; to all while it does not train."""
    training, fixed = input_at(node, 2), constant_of(input_at(node, 2))
    if training is None or (fixed is not None and not bool(fixed)):
        return dy
    if len(node.outputs) < 2:
        _add_mask(op, node)
    given_ratio = input_at(node, 1)
    half = np.array(0.5, np.float32)
    ratio = op.Cast(half if given_ratio is None else given_ratio, to=dy.dtype)
    scale = op.Where(training, op.Reciprocal(op.Sub(1.0, ratio)), 1.0)
    return op.Where(node.outputs[1], op.Mul(dy, scale), 0.0)


def _add_mask(op: RuleEmitter, node: ir.Node) -> None:
    """Let a node that only gives the kept elements give the mask too, its second output."""
    y = node.outputs[0]
    node.resize_outputs(2)
    mask = node.outputs[1]
    mask.name = op.emitter.unique_name("mask")
    mask.dtype, mask.shape = ir.DataType.BOOL, y.shape
