"""Sequences and optionals: the rules of what is left when the static ones have given way.

`static_sequences.py` puts tensors in the place of sequences whose structure is known. A node that
still reads from a sequence when the walk reaches it is not static: its rule says why.
"""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from seqonnx.autodiff.registry import Gradients, gradient
from seqonnx.autodiff.rule_emitter import RuleEmitter
from seqonnx.errors import GradientError

_OPERATORS = (
    *("ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceErase", "SequenceInsert"),
    *("SequenceMap", "SplitToSequence", "Optional", "OptionalGetElement"),
)
_POSITION = {"SequenceAt": 1, "SequenceInsert": 2, "SequenceErase": 1}


@gradient("", *_OPERATORS)
def not_static(op: RuleEmitter, node: ir.Node, *grads: Any) -> Gradients:
    """Refuse: gradients are tensors, and a run alone knows which tensors these are."""
    raise GradientError(
        f"The gradient of {node.op_type} (node '{node.name}') needs a sequence or optional whose "
        f"structure is known before the run: how many elements, and which is taken. Received: "
        f"{_obstacle(node)}. Sequences made by SequenceConstruct, SequenceEmpty, SequenceInsert, "
        f"SequenceErase, SequenceMap or SplitToSequence in the same graph, at constant positions "
        f"and with known sizes, can be differentiated; for others use tensors: Concat, Split, "
        f"Gather, or the scan outputs of a Loop."
    )


def _obstacle(node: ir.Node) -> str:
    """The first thing on the way back that is not static."""
    while True:
        place = _POSITION.get(node.op_type)
        position = node.inputs[place] if place is not None and place < len(node.inputs) else None
        if position is not None and ir.convenience.get_const_tensor(position) is None:
            return f"position '{position.name}' of node '{node.name}', computed in the graph"
        value = node.inputs[0] if len(node.inputs) > 0 else None
        if node.op_type == "SplitToSequence" and value is not None:
            return (
                f"'{value.name}' of shape {value.shape}, split by node '{node.name}' into pieces "
                f"of unknown number"
            )
        producer = None if value is None else value.producer()
        if producer is None or producer.op_type not in {*_OPERATORS, "Identity", "SequenceEmpty"}:
            return _origin(node, value)
        if producer.op_type in {"SequenceConstruct", "SequenceEmpty"}:
            return f"'{producer.outputs[0].name}', which does not have what '{node.name}' takes"
        node = producer


def _origin(node: ir.Node, value: ir.Value | None) -> str:
    """Where a value that no operator of the same graph made comes from."""
    if value is None:
        return f"nothing at node '{node.name}', which makes an empty optional"
    producer = value.producer()
    if producer is not None:
        return f"'{value.name}', an output of {producer.op_type} (node '{producer.name}')"
    return f"'{value.name}', an input of the graph or a value from outside of it"
