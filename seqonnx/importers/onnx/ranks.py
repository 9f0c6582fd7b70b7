"""Shape inference that also knows how many axes there are where sizes are computed.

ONNX's own inference gives up on a Reshape to a computed shape, although the length of that shape
says how many axes the result has. Functions of the standard, once expanded, are full of them.
"""

from __future__ import annotations

import math

import onnx

from seqonnx.graph.reading import is_op, is_standard
from seqonnx.importers.onnx.loop_shapes import note_last_states

ShapeProto = onnx.TensorShapeProto

_MOST_AXES = 1 << 10
"""A longer vector is no shape, whatever an operator takes it for."""


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a model with the types and shapes of inner tensors, as far as can be known.

    Raises:
        onnx.shape_inference.InferenceError: if a node contradicts the standard.
    """
    # Without data propagation: onnx 1.23 takes slice bounds that it does not know for 0.
    inferred = onnx.shape_inference.infer_shapes(model)
    while _note_ranks(inferred.graph):
        inferred = onnx.shape_inference.infer_shapes(inferred)
    return inferred


def _note_ranks(graph: onnx.GraphProto) -> bool:
    """Write down every number of axes that follows from the inputs of a node."""
    noted = False
    # What a graph sees from outside goes along with it: two branches may use a name twice.
    stack: list[tuple[onnx.GraphProto, dict[str, ShapeProto]]] = [(graph, {})]
    while stack:
        current, outside = stack.pop()
        shapes = dict(outside)
        values = {v.name: v for v in [*current.output, *current.input, *current.value_info]}
        for value in values.values():
            if value.type.tensor_type.HasField("shape"):
                shapes[value.name] = value.type.tensor_type.shape
        for tensor in current.initializer:
            kind = onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
            shapes[tensor.name] = kind.tensor_type.shape
        for node in current.node:
            stack.extend((a.g, shapes) for a in node.attribute if a.HasField("g"))
            if is_op(node, "Loop"):
                noted = note_last_states(node, values, shapes) or noted
            unknown = [values[n] for n in _alike(node) if n in values and n not in shapes]
            rank = _rank(node, [shapes.get(name) for name in node.input]) if unknown else None
            if rank is not None and rank <= _MOST_AXES:
                for value in unknown:
                    shapes[value.name] = _unknown_sizes(value.type.tensor_type.shape, rank)
                    noted = True
    return noted


def _alike(node: onnx.NodeProto) -> list[str]:
    """The outputs of a standard node that have the number of axes that `_rank` tells."""
    if not is_standard(node):
        return []
    return list(node.output) if node.op_type == "Split" else list(node.output[:1])


def _unknown_sizes(shape: ShapeProto, rank: int) -> ShapeProto:
    """Give a shape a number of axes without sizes."""
    shape.SetInParent()
    shape.dim.extend(onnx.TensorShapeProto.Dimension() for _ in range(rank))
    return shape


def _rank(node: onnx.NodeProto, shapes: list[ShapeProto | None]) -> int | None:
    """The number of axes of a node's first output, or None."""
    first = shapes[0] if len(shapes) > 0 else None
    count = _length(shapes[1]) if len(shapes) > 1 else None
    if node.op_type == "Reshape":
        return count
    if node.op_type == "ConstantOfShape":
        return _length(first)
    if first is None:
        return None
    own = len(first.dim)
    if node.op_type in ("CenterCropPad", "Pad", "Resize", "Slice", "Split", "Tile"):
        return own
    if node.op_type.startswith("Reduce"):
        kept = all(a.name != "keepdims" or a.i != 0 for a in node.attribute)
        if kept:
            return own
        return None if count is None or count == 0 else own - count
    if count is None:
        return None
    ranks = {"Expand": max(own, count), "Unsqueeze": own + count, "Squeeze": own - count}
    return ranks.get(node.op_type)


def _length(shape: ShapeProto | None) -> int | None:
    """The number of elements of a vector, or None."""
    if shape is None or not all(dim.HasField("dim_value") for dim in shape.dim):
        return None
    return math.prod(int(dim.dim_value) for dim in shape.dim)
