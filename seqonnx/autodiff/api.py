"""Gradients of any ONNX model, as an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from seqonnx.autodiff.blockers import refuse_blockers
from seqonnx.autodiff.engine import backward
from seqonnx.graph import Emitter
from seqonnx.graph.importing import ModelLike, import_graph
from seqonnx.graph.serde import to_proto


def gradients(model: ModelLike, output: str, wrt: Sequence[str]) -> onnx.ModelProto:
    """Return a model that computes gradients of another model.

    Args:
        model: path of an ONNX file, an `onnx.ModelProto`, or a seqonnx model.
        output: name of the tensor to differentiate. Where it has several elements, the gradient
            is that of their sum.
        wrt: names of the tensors to differentiate with respect to: inputs, initializers or inner
            tensors of a floating-point type.

    Returns:
        A model with the inputs of the original and one output for each of `wrt`, called
        `grad/NAME`, of its shape and type; zeros where `output` does not depend on it.

    Raises:
        ValueError: if a name is not in the graph.
        GradientError: if an operator on the way has no gradient rule.
        ModelFileError: if the file cannot be read.

    Example:
        >>> model = gradients("digits.onnx", "dense_1", ["input"])  # doctest: +SKIP
        >>> [o.name for o in model.graph.output]  # doctest: +SKIP
        ['grad/input']
    """
    graph = import_graph(model)
    values = _values(graph)
    target = _find(values, output, "output")
    sources = [_find(values, name, "wrt") for name in wrt]
    refuse_blockers(graph, [target], dict(zip(sources, wrt, strict=True)), zero_counts=True)
    op = Emitter(graph)
    with op.scope("grad"):
        seed = _filled(op, target, 1.0)
    found = backward(op, [(target, seed)], sources)
    graph.outputs.clear()
    for name, source, grad in zip(wrt, sources, found, strict=True):
        op.output(_filled(op, source, 0.0) if grad is None else grad, f"grad/{name}")
    wrapped = ir.Model(graph, ir_version=1)
    common_passes.RemoveUnusedNodesPass()(wrapped)
    return to_proto(graph)


def _filled(op: Emitter, like: ir.Value, number: float) -> ir.Value:
    """A tensor of one number with the shape and type of another."""
    filled: ir.Value = op.ConstantOfShape(op.Shape(like), value=ir.tensor([number], like.dtype))
    filled.shape = like.shape
    return filled


def _values(graph: ir.Graph) -> Mapping[str, ir.Value]:
    """Every tensor of a graph by name."""
    found = {str(value.name): value for value in graph.inputs}
    found.update(graph.initializers)
    for node in graph:
        found.update({str(value.name): value for value in node.outputs})
    return found


def _find(values: Mapping[str, ir.Value], name: str, argument: str) -> ir.Value:
    if name not in values:
        raise ValueError(
            f"`{argument}` names a tensor that the graph does not have: '{name}'. "
            f"Its tensors are: {', '.join(values)}"
        )
    return values[name]
