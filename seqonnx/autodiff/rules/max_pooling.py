"""Gradients of maximum pooling: the largest element of each window gets the window's gradient."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.idioms.sizes import fill_like, reshape_like
from seqonnx.autodiff.idioms.window import explicit_window, window_of
from seqonnx.autodiff.lowering.max_pool import MAX_POOL_FORMS, MaxPool
from seqonnx.autodiff.lowering.offers import offered
from seqonnx.autodiff.lowering.through_float32 import compares_badly, through_float32
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter


@gradient("", "MaxPool")
def max_pool(
    op: RuleEmitter, node: ir.Node, dy: ir.Value | None, _: ir.Value | None = None
) -> Gradients:
    """To the first maximum of each window, as PyTorch does it; see the forms for ties."""
    if dy is None:
        return None
    x = given(node, 0)
    if compares_badly(op, node):
        return through_float32(op, node, dy)
    kernel = tuple(node.attributes.get_ints("kernel_shape", ()))
    window = explicit_window(node, kernel, x, node.outputs[0])
    if window.rest is not None:
        window = window_of(node, kernel, x, node.outputs[0])
    place = MaxPool(node, x, dy, window)
    return op.choose(node, offered(op, MAX_POOL_FORMS, place)).emit(op, place)


@gradient("", "GlobalMaxPool")
def global_max_pool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """To the first maximum of each channel."""
    x = given(node, 0)
    flat = op.Flatten(x, axis=2)
    first = op.ArgMax(flat, axis=1, keepdims=1)
    picked = op.ScatterElements(fill_like(op, flat), first, op.Flatten(dy, axis=2), axis=1)
    return reshape_like(op, picked, x)


@gradient("", "MaxUnpool")
def max_unpool(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Each element takes its gradient from the position where it was put."""
    x, indices = given(node, 0), given(node, 1)
    taken = op.Gather(op.Reshape(dy, [-1]), op.Reshape(indices, [-1]))
    return reshape_like(op, taken, x)
