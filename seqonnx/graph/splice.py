"""Splicing: a finished graph becomes part of the graph that an emitter is making."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import onnx_ir as ir

from seqonnx.graph.emitter import Emitter
from seqonnx.graph.function_calls import noted_calls, without_sums


def splice(op: Emitter, graph: ir.Graph, inputs: Mapping[str, ir.Value]) -> list[ir.Value]:
    """Copy a graph into the graph of an emitter, in the current scope.

    Every tensor keeps its name, behind the scope; subgraphs come along, and what they take from
    outside follows. What a body takes from the graph around it is shared.

    Args:
        op: the emitter.
        graph: graph in the pinned operator set; it is not changed.
        inputs: for each of its inputs the value that takes its place.

    Returns:
        The values of its outputs.

    Example:
        >>> inner = Emitter()
        >>> _ = inner.output(inner.Relu(inner.input("a", "float32", ("batch", 2))), "b")
        >>> op = Emitter()
        >>> x = op.input("x", "float32", ("batch", 2))
        >>> with op.scope("net"):
        ...     (y,) = splice(op, inner.graph, {"a": x})
        >>> y.name
        'net/b'
    """
    copy = graph.clone(allow_outer_scope_values=True)
    calls = [without_sums(call) for call in noted_calls(copy)]
    outputs = list(copy.outputs)
    replaced = {value: inputs[str(value.name)] for value in copy.inputs}
    replaced.update({v: _constant(op, v) for v in copy.initializers.values()})
    copy.outputs.clear()
    for old, new in replaced.items():
        old.replace_all_uses_with(new)
    for domain, version in copy.opset_imports.items():
        op.graph.opset_imports.setdefault(domain, version)
    nodes = list(copy)
    _rename(op, copy)
    copy.remove(nodes)
    op.graph.extend(nodes)
    for call in calls:
        taken = [None if v is None else replaced.get(v, v) for v in call.inputs]
        op.calls.append(replace(call, inputs=taken))
    return [replaced.get(value, value) for value in outputs]


def _constant(op: Emitter, value: ir.Value) -> ir.Value:
    """Add a constant of the graph to that of the emitter."""
    tensor = value.const_value
    if tensor is None:
        raise ValueError(f"The initializer '{value.name}' has no value.")
    name = op.unique_name(_clean(value.name))
    if isinstance(tensor, ir.StringTensor) or tensor.dtype == ir.DataType.STRING:
        texts = tensor.numpy().astype(object).reshape(-1).tolist()
        copied: ir.TensorProtocol = ir.StringTensor(
            texts, shape=ir.Shape(tensor.numpy().shape), name=name
        )
    else:
        copied = ir.Tensor(tensor.numpy(), dtype=tensor.dtype, name=name)
    constant = ir.Value(name=name, type=value.type, shape=value.shape, const_value=copied)
    op.graph.register_initializer(constant)
    return constant


def _rename(op: Emitter, graph: ir.Graph) -> None:
    """Give everything in a graph, and in its subgraphs, a name that is free in the emitter's."""
    for inner in graph.subgraphs():
        if inner is not graph:
            for value in inner.inputs:
                value.name = op.unique_name(_clean(value.name))
    for node in graph.all_nodes():
        before = {node.name} | {value.name for value in node.outputs}
        for value in node.outputs:
            if value.name:
                value.name = op.unique_name(_clean(value.name))
        first = node.outputs[0].name if len(node.outputs) > 0 else None
        alone = len(before) == 1 or not node.name
        node.name = first if alone and first else op.unique_name(_clean(node.name or node.op_type))


def _clean(name: str | None) -> str:
    """A foreign name without the slashes at its ends, which would read as empty scopes."""
    return (name or "").strip("/") or "unnamed"
