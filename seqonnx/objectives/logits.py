"""Logits behind a probability: what went into the Softmax or Sigmoid that gave it."""

from __future__ import annotations

import onnx_ir as ir

from seqonnx.graph import Emitter, static_shape
from seqonnx.objectives.align import to_type_of

_MOVES = frozenset({"Identity", "Transpose"})


def logits_behind(op: Emitter, y_pred: ir.Value, activation: str) -> ir.Value | None:
    """Return the logits of `y_pred` if the graph shows them, else None.

    The logarithm of a probability loses digits, and its gradient vanishes where the probability
    is clipped; both are exact from the logits. Keras on TensorFlow looks for them, too.

    Args:
        op: emitter of the graph that holds `y_pred`.
        y_pred: probabilities, classes last.
        activation: `"Softmax"` or `"Sigmoid"`, the operator to look for.

    Returns:
        Logits with the shape and type of `y_pred`, or None if another operator gave `y_pred`, or a
        Softmax over another axis than the last.
    """
    moves: list[list[int]] = []
    rank = len(static_shape(y_pred))
    axis = rank - 1
    node = y_pred.producer()
    while node is not None and (node.op_type in _MOVES or _is_float_cast(node)):
        if node.op_type == "Transpose":
            order = _permutation(node, rank)
            moves.append(order)
            axis = order[axis]
        source = node.inputs[0]
        node = None if source is None else source.producer()
    if node is None or node.op_type != activation:
        return None
    if activation == "Softmax" and _axis(node) % rank != axis:
        return None
    logits = node.inputs[0]
    assert logits is not None
    for order in reversed(moves):
        logits = op.Transpose(logits, perm=order)
    return to_type_of(op, logits, y_pred)


def _is_float_cast(node: ir.Node) -> bool:
    """Whether a node only changes how many digits there are, as mixed precision does."""
    if node.op_type != "Cast" or node.inputs[0] is None:
        return False
    types = (node.inputs[0].dtype, node.outputs[0].dtype)
    return all(dtype is not None and dtype.is_floating_point() for dtype in types)


def _permutation(node: ir.Node, rank: int) -> list[int]:
    """Order of the axes of a Transpose."""
    attribute = node.attributes.get("perm")
    if attribute is None:
        return list(reversed(range(rank)))
    return [int(axis) for axis in attribute.as_ints()]


def _axis(node: ir.Node) -> int:
    """Axis of a Softmax."""
    attribute = node.attributes.get("axis")
    return -1 if attribute is None else int(attribute.as_int())
