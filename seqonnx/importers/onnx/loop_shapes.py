"""Shapes of what a Loop carries to its end: those that it has before and after every iteration.

ONNX's own inference gives the last state of a Loop a type and no shape, since an iteration may
change it. Where the body says what shape it gives the state, and that is the shape of the first
one, it is the last one's, too.
"""

from __future__ import annotations

import onnx

ShapeProto = onnx.TensorShapeProto
KnownShapes = dict[str, ShapeProto]
_COUNT_AND_CONDITION = 2
"""Inputs of a Loop before its states."""


def note_last_states(
    node: onnx.NodeProto, values: dict[str, onnx.ValueInfoProto], known: KnownShapes
) -> bool:
    """Write the shapes of a Loop's last states into the values of its graph.

    Args:
        node: the Loop.
        values: what the graph around it says of its values, by name.
        known: the shapes known there.

    Returns:
        Whether anything was written.
    """
    body = next(attribute.g for attribute in node.attribute if attribute.name == "body")
    noted = False
    states = zip(node.input[_COUNT_AND_CONDITION:], body.output[1:], node.output, strict=False)
    for first, made, last in states:
        unknown = last in values and last not in known
        kind = made.type.tensor_type
        if not unknown or first not in known or not kind.HasField("shape"):
            continue
        if len(kind.shape.dim) != len(known[first].dim):
            continue
        shape = values[last].type.tensor_type.shape
        shape.SetInParent()
        for before, after in zip(known[first].dim, kind.shape.dim, strict=True):
            dim = shape.dim.add()
            if before == after:
                dim.CopyFrom(before)
        known[last] = shape
        noted = True
    return noted
