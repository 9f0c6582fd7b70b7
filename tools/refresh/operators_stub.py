"""The typed operators: `seqonnx/graph/operators.pyi`, made from the schemas of the standard.

    python tools/refresh/refresh_golden.py operators

A type checker and an editor read it in place of `operators.py`, which finds operators by name. One
method for each operator of the pinned operator set: inputs by position, attributes by keyword with
their defaults, `_outputs` where there may be several.
"""

from __future__ import annotations

import onnx
import onnx.defs
from onnx.defs import OpSchema

from seqonnx.graph.versions import OPSET

ATTRIBUTES = {
    OpSchema.AttrType.INT: "int",
    OpSchema.AttrType.INTS: "Sequence[int]",
    OpSchema.AttrType.FLOAT: "float",
    OpSchema.AttrType.FLOATS: "Sequence[float]",
    OpSchema.AttrType.STRING: "str",
    OpSchema.AttrType.STRINGS: "Sequence[str]",
    OpSchema.AttrType.GRAPH: "ir.Graph",
    OpSchema.AttrType.TENSOR: "Tensor",
    OpSchema.AttrType.SPARSE_TENSOR: "onnx.SparseTensorProto",
    OpSchema.AttrType.TYPE_PROTO: "ir.TypeAndShape",
}
DTYPES = ("to", "dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision")
"""Attributes that are whole numbers to the schemas, and stand for a dtype."""

VARIADIC = OpSchema.FormalParameterOption.Variadic
HEAD = f'''"""Every operator of operator set {OPSET} as a method: inputs, attributes and outputs.

Made from the schemas of the standard by `python tools/refresh/refresh_golden.py operators`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from seqonnx.graph.variable import Variable

_Number: TypeAlias = float | str | np.generic
_List: TypeAlias = Sequence[_Number | None] | Sequence[Sequence[_Number]]
Operand: TypeAlias = ir.Value | Variable | npt.NDArray[Any] | _Number | _List | None
"""An input: a graph value, a variable, what becomes a constant, or None, which leaves it out.

None stands here for every input, and among the numbers of a list, since that is how the inputs of a
node and static shapes are typed; a node without an input that it needs is refused when it is made.
"""

DataType: TypeAlias = int | ir.DataType | None
"""A dtype, or that of a value; one that is not known (None) is refused when the node is made."""

Tensor: TypeAlias = ir.TensorProtocol | onnx.TensorProto
"""A constant as an attribute."""

class Operators:
    """Every ONNX operator as a method: `op.Relu(x)` adds a node and returns its output."""

    def emit(self, op_type: str, args: Sequence[Any], attributes: Mapping[str, Any]) -> Any: ...
'''


def render() -> str:
    """Return the text of the stub."""
    schemas = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    known = sorted(name for name in schemas if onnx.defs.has(name, OPSET))
    return HEAD + "".join(_methods(onnx.defs.get_schema(name, OPSET, "")) for name in known)


def _methods(schema: OpSchema) -> str:
    """The method of an operator, with an overload for each number of outputs."""
    if schema.deprecated:
        return ""
    parameters = [*_inputs(schema), *_attributes(schema)]
    one, several = "ir.Value", "tuple[ir.Value, ...]"
    if schema.outputs[0].option is VARIADIC:
        forms = [("", one), ("_outputs: int", several)]
    else:
        forms = [("_outputs: Literal[1] = 1" if len(schema.outputs) > 1 else "", one)]
        for count in range(2, len(schema.outputs) + 1):
            made = f"tuple[{', '.join([one] * count)}]"
            forms.append((f"_outputs: Literal[{count}]", made))
    methods = [_method(schema.name, parameters, *form) for form in forms]
    return "".join(f"    @overload\n{m}" for m in methods) if len(methods) > 1 else methods[0]


def _method(name: str, parameters: list[str], outputs: str, result: str) -> str:
    keyword = [] if outputs == "" or any(p.startswith("*") for p in parameters) else ["*"]
    wanted = ["self", *parameters, *keyword, *([outputs] if outputs else [])]
    lines = "".join(f"        {parameter},\n" for parameter in wanted)
    return f"    def {name}(\n{lines}    ) -> {result}: ...\n"


def _inputs(schema: OpSchema) -> list[str]:
    """Inputs go by position; those at the end that may be left out have a default."""
    taken = set(schema.attributes)
    parameters: list[str] = []
    for place, given in enumerate(schema.inputs):
        name = f"{given.name}_" if given.name in taken else given.name
        if given.option is VARIADIC:
            return [*parameters, *(["/"] if parameters else []), f"*{name}: Operand"]
        left_out = place >= schema.min_input
        parameters.append(f"{name}: Operand" + (" = None" if left_out else ""))
    return [*parameters, "/"] if parameters else []


def _attributes(schema: OpSchema) -> list[str]:
    """Attributes go by keyword; those that must be given come first, as in a signature."""
    attributes = sorted(schema.attributes.values(), key=lambda a: (not a.required, a.name))
    variadic = any(given.option is VARIADIC for given in schema.inputs)
    star = [] if variadic or len(attributes) == 0 else ["*"]
    return [*star, *(f"{a.name}: {_type(a)}{_default(a)}" for a in attributes)]


def _type(attribute: OpSchema.Attribute) -> str:
    return "DataType" if attribute.name in DTYPES else ATTRIBUTES[attribute.type]


def _default(attribute: OpSchema.Attribute) -> str:
    """The text after the type of an attribute: its default, dots where the standard has a rule."""
    if attribute.required:
        return ""
    value = onnx.helper.get_attribute_value(attribute.default_value)
    if attribute.default_value.type == onnx.AttributeProto.UNDEFINED:
        return " = ..."
    if isinstance(value, float):
        value = round(value, 7)  # the schema's float32
    return f" = {value}".replace("b'", "'").replace("'", '"')
