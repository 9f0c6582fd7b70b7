"""Schemas of the standard's operators: what each operator set says about a node."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import onnx
import onnx.defs
import onnx_ir as ir


@cache
def schema_of(op_type: str, version: int) -> onnx.defs.OpSchema | None:
    """Return the schema of a standard operator in an operator set; None where it has none.

    Example:
        >>> schema_of("Gelu", 23).since_version, schema_of("Gelu", 19)
        (20, None)
    """
    try:
        return onnx.defs.get_schema(op_type, version, "")
    except onnx.defs.SchemaError:
        return None


def default_of(schema: onnx.defs.OpSchema, attribute: str) -> onnx.AttributeProto:
    """Return what an attribute is where a node leaves it out; empty where that has no value."""
    known = schema.attributes.get(attribute)
    return onnx.AttributeProto() if known is None else known.default_value


def same_defaults(older: onnx.defs.OpSchema, newer: onnx.defs.OpSchema) -> bool:
    """Whether attributes that both have mean the same where a node leaves them out."""
    return all(
        attribute.default_value == newer.attributes[name].default_value
        for name, attribute in older.attributes.items()
        if name in newer.attributes
    )


def takes(schema: onnx.defs.OpSchema, node: ir.Node) -> bool:
    """Whether a schema takes the inputs and outputs of a node: their number and their dtypes."""
    return fits(node.inputs, schema.inputs, schema) and fits(node.outputs, schema.outputs, schema)


def fits(
    values: Sequence[ir.Value | None],
    parameters: Sequence[onnx.defs.OpSchema.FormalParameter],
    schema: onnx.defs.OpSchema,
) -> bool:
    """Whether a schema takes values of these dtypes in these places."""
    variadic = onnx.defs.OpSchema.FormalParameterOption.Variadic
    for index, value in enumerate(values):
        if index >= len(parameters) and parameters[-1].option != variadic:
            return False
        place = parameters[min(index, len(parameters) - 1)]
        if value is None or value.dtype is None or not isinstance(value.type, ir.TensorType):
            continue
        if not has_dtype(schema, place.type_str, value.dtype):
            return False
    return True


def has_dtype(schema: onnx.defs.OpSchema, kind: str, dtype: ir.DataType) -> bool:
    """Whether tensors of a dtype may stand where a schema says a kind of type, such as `T`."""
    constraints = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    return f"tensor({str(dtype).lower()})" in constraints.get(kind, [kind])
