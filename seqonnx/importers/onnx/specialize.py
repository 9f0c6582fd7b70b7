"""Specialisation: a graph for inputs of a known shape, with every shape inside that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes
from onnxscript import optimizer

from seqonnx.graph import Dim
from seqonnx.importers.onnx.foreign import wrap


def specialize(graph: ir.Graph, shapes: Mapping[str, Sequence[Dim]]) -> ir.Graph:
    """Return a copy of a graph for other shapes of its inputs.

    What then is constant, such as sizes computed from fixed dimensions, is computed. Dimensions
    have the names given here or none: names of the graph's own could mean something else in a
    graph that it becomes part of.

    Args:
        graph: graph in the pinned operator set, weights among its inputs.
        shapes: shape of each input that gets another one.

    Returns:
        A new graph with shapes inferred.

    Raises:
        ValueError: if the shapes do not fit an operator.
    """
    copy = graph.clone()
    for value in copy.inputs:
        if str(value.name) in shapes:
            value.shape = ir.Shape(shapes[str(value.name)])
    for value in (*copy.outputs, *(v for node in copy.all_nodes() for v in node.outputs)):
        value.shape = None
    model = wrap(copy)
    try:
        optimizer.fold_constants(model, onnx_shape_inference=False)
        common_passes.RemoveUnusedNodesPass()(model)
        inferred = infer(model)
    except onnx.shape_inference.InferenceError as error:
        raise ValueError(f"The shapes {dict(shapes)} do not fit: {error}") from error
    known = {d for shape in shapes.values() for d in shape if isinstance(d, str)}
    for node in inferred.all_nodes():
        for value in node.outputs:
            _keep_names(value, known)
    return inferred


def infer(model: ir.Model) -> ir.Graph:
    """Return a copy of a model's graph with every shape that ONNX can infer.

    Values that hold shapes are followed, too, but not past a Slice: onnx 1.23 takes bounds that it
    does not know for 0.
    """
    follow = all(node.op_type != "Slice" for node in model.graph.all_nodes())
    proto = onnx.shape_inference.infer_shapes(ir.to_proto(model), data_prop=follow)
    return ir.from_proto(proto).graph


def _keep_names(value: ir.Value, known: set[str]) -> None:
    """Leave dimensions unnamed that do not come from the inputs."""
    if value.shape is not None:
        value.shape = ir.Shape(
            [d if isinstance(d, int) or d.value in known else None for d in value.shape]
        )
