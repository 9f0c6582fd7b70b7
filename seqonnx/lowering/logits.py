"""Logits behind a probability: the input of the Softmax or Sigmoid that computed it.

A form, not a pass: crossentropies ask for it while they are emitted, and nothing that stands in the
graph already is changed. A Softmax that nobody reads afterwards is left to the pass `unused`.
"""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.graph.reading import is_op, stops_gradient


def logits_behind(
    op: Emitter, y_pred: ir.Value, activation: str, classes: int = -1
) -> ir.Value | None:
    """Return the logits of `y_pred` if the graph shows them, else None.

    The logarithm of a probability loses digits, and its gradient vanishes where the probability
    is clipped; both are exact from the logits. Keras on TensorFlow looks for them, too.

    Args:
        op: emitter of the graph that holds `y_pred`.
        y_pred: probabilities.
        activation: `"Softmax"` or `"Sigmoid"`, the operator to look for.
        classes: the axis of the classes.

    Returns:
        Logits with the shape and dtype of `y_pred`, or None if another operator computed `y_pred`,
        or a Softmax over another axis than that of the classes.
    """
    moves: list[list[int]] = []
    rank = len(static_shape(y_pred))
    axis = classes % rank
    node = y_pred.producer()
    while node is not None and (is_op(node, "Identity", "Transpose") or _is_float_cast(node)):
        if stops_gradient(node):
            return None
        if is_op(node, "Transpose"):
            order = _permutation(node, rank)
            moves.append(order)
            axis = order[axis]
        source = node.inputs[0]
        node = None if source is None else source.producer()
    if node is None or not is_op(node, activation):
        return None
    if activation == "Softmax" and node.attributes.get_int("axis", -1) % rank != axis:
        return None
    logits = node.inputs[0]
    assert logits is not None
    for order in reversed(moves):
        logits = op.Transpose(logits, perm=order)
    if y_pred.dtype is None or logits.dtype == y_pred.dtype:
        return logits
    return op.Cast(logits, to=int(y_pred.dtype))


def _is_float_cast(node: ir.Node) -> bool:
    """Whether a node only changes how many digits there are, as mixed precision does."""
    if not is_op(node, "Cast") or node.inputs[0] is None:
        return False
    types = (node.inputs[0].dtype, node.outputs[0].dtype)
    return all(dtype is not None and dtype.is_floating_point() for dtype in types)


def _permutation(node: ir.Node, rank: int) -> list[int]:
    """Order of the axes of a Transpose."""
    return list(node.attributes.get_ints("perm", range(rank)[::-1]))
