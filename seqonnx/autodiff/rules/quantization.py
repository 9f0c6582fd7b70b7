"""Gradients of quantization: the straight-through estimator (Bengio et al., 2013).

Rounding counts as the identity, saturation as clipping. For a pair of QuantizeLinear and
DequantizeLinear the gradient of the scale is then that of LSQ (Esser et al., 2020).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from seqonnx.autodiff.engine import backward
from seqonnx.autodiff.needed import given, rank, required_sizes
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import input_at

_RANGES = {
    ir.DataType.UINT4: (0.0, 15.0),
    ir.DataType.INT4: (-8.0, 7.0),
    ir.DataType.UINT8: (0.0, 255.0),
    ir.DataType.INT8: (-128.0, 127.0),
    ir.DataType.UINT16: (0.0, 65535.0),
    ir.DataType.INT16: (-32768.0, 32767.0),
}


@gradient("", "QuantizeLinear")
def quantize_linear(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Of clip(x / scale, least - zero, most - zero), as if nothing were rounded."""
    x, scale = op.Identity(given(node, 0)), op.Identity(given(node, 1))
    divisor = _spread(op, node, op.Cast(scale, to=x.dtype))
    made = op.Div(x, divisor)
    bounds = _RANGES.get(node.outputs[0].dtype or ir.DataType.UNDEFINED)
    if bounds is not None:
        zero = _zero(op, node, x)
        low, high = (
            bound if zero is None else op.Sub(op.Cast(np.float32(bound), to=x.dtype), zero)
            for bound in bounds
        )
        made = op.Max(op.Min(made, high), low)
    found = backward(op.emitter, [(made, op.Cast(dy, to=x.dtype))], [x, scale], device=op.device)
    return found[0], found[1]


@gradient("", "DequantizeLinear")
def dequantize_linear(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Of (x - zero) scale; that of the integers goes on to what quantized them."""
    scale = op.Identity(given(node, 1))
    x = op.Cast(given(node, 0), to=scale.dtype)
    zero = _zero(op, node, scale)
    moved = x if zero is None else op.Sub(x, zero)
    made = op.Mul(moved, _spread(op, node, scale))
    found = backward(
        op.emitter, [(made, op.Cast(dy, to=scale.dtype))], [x, scale], device=op.device
    )
    return found[0], found[1]


def _zero(op: RuleEmitter, node: ir.Node, like: ir.Value) -> ir.Value | None:
    """The zero point as a float, spread over its axis."""
    zero = input_at(node, 2)
    return None if zero is None else _spread(op, node, op.Cast(zero, to=like.dtype))


def _spread(op: RuleEmitter, node: ir.Node, value: ir.Value) -> ir.Value:
    """A number for the whole, for each slice of an axis, or for each block along it."""
    x = given(node, 0)
    if rank(value) == 0 or (rank(value) == 1 and rank(x) == 1 and value.shape == ir.Shape([1])):
        return value
    axis = node.attributes.get_int("axis", 1) % rank(x)
    block = node.attributes.get_int("block_size", 0)
    if block > 0:
        (size,) = required_sizes(node, x, [axis])
        return op.Gather(value, np.arange(size) // block, axis=axis)
    others = [i for i in range(rank(x)) if i != axis]
    return op.Unsqueeze(value, others) if others else value
