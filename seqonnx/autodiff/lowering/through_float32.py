"""Gradients that compare numbers of 16 bits, by way of float32 on the CPU.

ONNX Runtime's CPU provider computes most operators on float16 in float32, between casts, and leaves
out the rounding where one cast follows another: for some readers of a value, not for all. So the
output of an operator need not equal the element that it took it from.
"""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.engine import backward
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.autodiff.sources import HALF_TYPES


def compares_badly(op: RuleEmitter, node: ir.Node) -> bool:
    """Whether the output of a node cannot be compared with its inputs."""
    return op.device == "cpu" and node.outputs[0].dtype in HALF_TYPES


def through_float32(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> list[ir.Value | None]:
    """Return the gradients of a node of one output, taken from a copy of it in float32.

    Args:
        op: the rule's emitter.
        node: a node whose floating-point inputs have 16 bits.
        dy: gradient of its output.
    """
    half = node.outputs[0].dtype
    inputs = [
        op.Cast(x, to=ir.DataType.FLOAT) if x is not None and x.dtype == half else x
        for x in node.inputs
    ]
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    made = op.emitter.emit(node.op_type, inputs, attributes)
    wanted = {i: x for i, x in enumerate(inputs) if x is not None and op.needs(i)}
    seed = op.Cast(dy, to=ir.DataType.FLOAT)
    found = backward(op.emitter, [(made, seed)], list(wanted.values()), device=op.device)
    grads = dict(zip(wanted, found, strict=True))
    return [
        None if (grad := grads.get(i)) is None else op.Cast(grad, to=half)
        for i in range(len(inputs))
    ]
