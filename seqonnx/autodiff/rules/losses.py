"""Gradients of the loss operators of the standard."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.autodiff.idioms.sizes import fill_like
from seqonnx.autodiff.needed import given
from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.graph.reading import input_at


@gradient("", "NegativeLogLikelihoodLoss")
def negative_log_likelihood(op: RuleEmitter, node: ir.Node, dy: ir.Value) -> Gradients:
    """Minus the weight at the label."""
    return _at_labels(op, node, given(node, 0), dy)


@gradient("", "SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(
    op: RuleEmitter, node: ir.Node, dy: ir.Value | None, dlog: ir.Value | None = None
) -> Gradients:
    """The gradient of the negative log likelihood, through the log softmax (also an output)."""
    scores = given(node, 0)
    if dy is not None:
        at_labels = _at_labels(op, node, scores, dy)
        dlog = at_labels if dlog is None else op.Add(dlog, at_labels)
    total = op.ReduceSum(dlog, [1], keepdims=1)
    return op.Sub(dlog, op.Mul(op.Softmax(scores, axis=1), total))


def _at_labels(op: RuleEmitter, node: ir.Node, like: ir.Value, dy: ir.Value) -> ir.Value:
    """Gradient of the loss with respect to the log probabilities."""
    labels, weight = given(node, 1), input_at(node, 2)
    ignored = node.attributes.get_int("ignore_index", None)
    how = node.attributes.get_string("reduction", "mean")
    skip = None if ignored is None else op.Equal(labels, op.Cast(ignored, to=labels.dtype))
    safe = labels if skip is None else op.Where(skip, op.Cast(0, to=labels.dtype), labels)
    one = ir.tensor([1.0], dtype=like.dtype)
    if weight is None:
        weights = op.ConstantOfShape(op.Shape(labels), value=one)
    else:
        weights = op.Gather(weight, safe)
    if skip is not None:
        weights = op.Where(skip, 0.0, weights)
    if how == "mean":
        dy = op.Div(dy, op.ReduceSum(weights, keepdims=0))
    share = op.Neg(op.Mul(weights, dy))
    columns = op.Unsqueeze(safe, [1]), op.Unsqueeze(share, [1])
    return op.ScatterElements(fill_like(op, like), *columns, axis=1)
