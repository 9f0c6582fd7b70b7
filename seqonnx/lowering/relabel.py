"""An older number for the same operators, because CUDA kernels lag behind the operator set.

ONNX Runtime takes a kernel only if it is registered for the version of the operator that the
model's operator set means. On CUDA many are not registered for the newest version though that
changed nothing that matters here: the node then runs on the CPU, its data copied there and back.
ONNX Runtime's `docs/OperatorKernels.md` of early 2026 lists for CUDA nothing newer than Pad 18,
ReduceMax and ReduceMin 18, Scan 19, LSTM, GRU and RNN 14, Flatten 13, MaxPool 12, ConvTranspose 11,
ConstantOfShape 9, Elu and Selu 6, GlobalAveragePool and GlobalMaxPool 1, all older than what the
pinned set means (its issues 26393 and 27729 follow this). Set 18 means just these. Left behind are
graphs with Gelu, which is from 20, and those in bfloat16, which Conv takes from 22 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import onnx.defs
import onnx_ir as ir

from seqonnx.graph import OPSET

_OLDER: Final = (18, 20, 21)
"""Operator sets to try, the one with most CUDA kernels first; Gelu is from 20."""
_CHANGED: Final = frozenset({"DFT", "GridSample", "GroupNormalization"})
"""Operators that mean something else in older sets, or spell it otherwise."""


def relabel(graph: ir.Graph) -> int:
    """Declare an older operator set for a graph if all of its operators mean the same there.

    Operators are compared by their schemas: inputs, attributes and dtypes that a node uses
    must be there in the older one.

    Args:
        graph: graph in the pinned operator set; only its declaration is changed.

    Returns:
        The number of the operator set that the graph now declares.

    Example:
        >>> from seqonnx.graph import Emitter
        >>> op = Emitter()
        >>> _ = op.Relu(op.input("x", "float32", ("batch", 2)))
        >>> relabel(op.graph)
        18
    """
    for version in _OLDER:
        if all(_same_in(node, version) for node in graph.all_nodes()):
            graph.opset_imports[""] = version
            return version
    return OPSET


def _same_in(node: ir.Node, version: int) -> bool:
    """Whether a node means in an older operator set what it means in the pinned one."""
    older, newer = _schema(node.op_type, version), _schema(node.op_type, OPSET)
    if older is None or newer is None or node.domain != "":
        return node.domain != ""
    if older.since_version == newer.since_version:
        return True
    if node.op_type == "AveragePool" and node.attributes.get_int("ceil_mode", 0) != 0:
        # Windows that reach over the end are averaged differently since then.
        return older.since_version >= 19
    return (
        node.op_type not in _CHANGED
        and node.attributes.keys() <= older.attributes.keys()
        and _same_defaults(older, newer)
        and _fits(node.inputs, older.inputs, older)
        and _fits(node.outputs, older.outputs, older)
    )


def _same_defaults(older: onnx.defs.OpSchema, newer: onnx.defs.OpSchema) -> bool:
    """Whether attributes that both have mean the same where a node leaves them out."""
    return all(
        attribute.default_value == newer.attributes[name].default_value
        for name, attribute in older.attributes.items()
        if name in newer.attributes
    )


def _fits(
    values: Sequence[ir.Value | None],
    parameters: Sequence[onnx.defs.OpSchema.FormalParameter],
    schema: onnx.defs.OpSchema,
) -> bool:
    """Whether a schema takes values of these dtypes in these places."""
    constraints = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    variadic = onnx.defs.OpSchema.FormalParameterOption.Variadic
    for index, value in enumerate(values):
        if index >= len(parameters) and parameters[-1].option != variadic:
            return False
        place = parameters[min(index, len(parameters) - 1)]
        if value is None or value.dtype is None or not isinstance(value.type, ir.TensorType):
            continue
        if f"tensor({_type_name(value.dtype)})" not in constraints.get(
            place.type_str, [place.type_str]
        ):
            return False
    return True


def _type_name(dtype: ir.DataType) -> str:
    """The name of a dtype in schemas."""
    return str(dtype).lower()


@cache
def _schema(op_type: str, version: int) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(op_type, version, "")
    except onnx.defs.SchemaError:
        return None
