"""Operators that the standard itself defines by others: their definitions take their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
import onnx_ir as ir

from seqonnx.export.adapters.registry import NotInOperatorSetError
from seqonnx.graph import Emitter
from seqonnx.graph.schemas import schema_of


def has_body(op_type: str, version: int) -> bool:
    """Whether the standard defines an operator of an operator set by others."""
    schema: Any = schema_of(op_type, version)  # onnx has no types for its definitions
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def expand_body(op: Emitter, node: ir.Node, version: int) -> Sequence[ir.Value]:
    """Emit the definition of a node's operator.

    Args:
        op: emitter of the graph.
        node: the node.
        version: operator set whose meaning the node has.

    Returns:
        A value for each output.

    Raises:
        NotInOperatorSetError: if the definition does not fit this node.
    """
    function = _function_of(node, version)
    for entry in function.opset_import:
        op.graph.opset_imports[entry.domain] = entry.version
    values: dict[str, Any] = {"": None}
    values |= dict(zip(function.input, [*node.inputs, *[None] * len(function.input)], strict=False))
    given = _defaults(node.op_type, version)
    given |= {name: attribute.value for name, attribute in node.attributes.items()}
    for inner in function.node:
        attributes = {}
        for proto in inner.attribute:
            if proto.ref_attr_name == "":
                attributes[proto.name] = _value_of(proto)
            elif proto.ref_attr_name in given:
                attributes[proto.name] = given[proto.ref_attr_name]
        inputs = [values[name] for name in inner.input]
        made = op.emit(inner.op_type, inputs, attributes | {"_outputs": len(inner.output)})
        values.update(zip(inner.output, made if isinstance(made, tuple) else (made,), strict=True))
    return [values[name] for name in function.output[: len(node.outputs)]]


def _function_of(node: ir.Node, version: int) -> onnx.FunctionProto:
    """The definition of a node's operator, of the operator set whose meaning it has."""
    schema: Any = schema_of(node.op_type, version)
    if schema.has_function:
        body = schema.get_function_with_opset_version(schema.since_version)
    else:
        types = []
        for value in node.inputs:
            kind = onnx.TypeProto()
            if value is not None and value.type is not None:
                kind = ir.serde.serialize_type(value.type)
                if value.shape is not None:
                    ir.serde.serialize_shape_into(kind, value.shape)
            types.append(kind.SerializeToString())
        body = schema.get_context_dependent_function_with_opset_version(
            schema.since_version, ir.serde.serialize_node(node).SerializeToString(), types
        )
    function = onnx.FunctionProto()
    function.ParseFromString(body)
    if len(function.node) == 0:
        raise NotInOperatorSetError("the standard defines it by no others for these inputs")
    if any(proto.HasField("g") for inner in function.node for proto in inner.attribute):
        raise NotInOperatorSetError("the standard defines it by graphs inside nodes")
    return function


def _defaults(op_type: str, version: int) -> dict[str, Any]:
    """The attributes of an operator where a node leaves them out."""
    schema = schema_of(op_type, version)
    known = {} if schema is None else dict(schema.attributes)
    return {
        name: _value_of(attribute.default_value)
        for name, attribute in known.items()
        if attribute.default_value.type != onnx.AttributeProto.UNDEFINED
    }


def _value_of(proto: onnx.AttributeProto) -> Any:
    """The value of an attribute as the emitter takes it."""
    return ir.serde.deserialize_attribute(proto).value
