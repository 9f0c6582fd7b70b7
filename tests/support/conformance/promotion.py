"""Raising a model from the floats of its case to float64, as far as its operators allow.

Each operator says through its type constraints which types it takes. A value becomes float64 if
every operator that touches it takes float64 there, and float32 if only that is taken; operators
that name a type in an attribute (Cast, EyeLike, window functions) are rewritten to match.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE)
BETTER = ((TensorProto.FLOAT, "tensor(float)"), (TensorProto.DOUBLE, "tensor(double)"))
ANY = frozenset(text for _, text in BETTER)
STANDARD = ("", "ai.onnx")
TYPE_ATTRIBUTES = ("to", "dtype", "output_datatype", "output_dtype", "softmax_precision")
# Operators that take tensors out of a container or put them in: one type throughout.
CONTAINERS = ("Sequence", "Optional", "ConcatFromSequence", "SplitToSequence")


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and every graph within it."""
    stack = [graph]
    while stack:
        current = stack.pop()
        yield current
        stack += [a.g for node in current.node for a in node.attribute if a.HasField("g")]


def promote(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, int]]:
    """Return a model in float64 where possible, and the dtypes of its values.

    Args:
        model: model in one operator set, of standard operators.
    """
    model = onnx.shape_inference.infer_shapes(model)
    values = [
        value
        for graph in graphs_of(model.graph)
        for value in [*graph.input, *graph.value_info, *graph.output]
    ]
    types = {value.name: dtype_of(value.type) for value in values}
    for graph in graphs_of(model.graph):
        types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    raised = _raise(model, types)
    for value in values:
        _retype(value.type, raised.get(value.name, 0))
    for graph in graphs_of(model.graph):
        for tensor in graph.initializer:
            _recast(tensor, raised.get(tensor.name, 0))
        for node in graph.node:
            _rename_type(node, raised)
    return model, types | raised


def dtype_of(kind: onnx.TypeProto) -> int:
    """Dtype of a tensor, or of the tensors in a sequence or an optional."""
    field = kind.WhichOneof("value")
    while field in ("sequence_type", "optional_type"):
        kind = getattr(kind, field).elem_type
        field = kind.WhichOneof("value")
    return int(kind.tensor_type.elem_type) if field == "tensor_type" else 0


def _raise(model: onnx.ModelProto, types: dict[str, int]) -> dict[str, int]:
    """The new types of all float values: the best that their operators agree on."""
    best = {name: len(BETTER) for name, kind in types.items() if kind in FLOATS}
    groups = [
        group
        for graph in graphs_of(model.graph)
        for node in graph.node
        for group in [*_constraints(node, version_of(model)), *_links(node)]
    ]
    changed = True
    while changed:
        changed = False
        for names, allowed in groups:
            members = [name for name in names if name in best]
            rank = min((best[name] for name in members), default=0)
            while rank > 0 and not any(BETTER[rank - 1][1] in text for text in allowed):
                rank -= 1
            changed |= any(best[name] != rank for name in members)
            best |= dict.fromkeys(members, rank)
    return {name: BETTER[rank - 1][0] if rank else types[name] for name, rank in best.items()}


def version_of(model: onnx.ModelProto) -> int:
    """The model's version of the standard operator set."""
    return next(int(entry.version) for entry in model.opset_import if entry.domain in STANDARD)


def _constraints(node: onnx.NodeProto, version: int) -> list[tuple[list[str], frozenset[str]]]:
    """Groups of values of one type variable, with the types that it may have."""
    schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    allowed = {c.type_param_str: frozenset(c.allowed_type_strs) for c in schema.type_constraints}
    groups: dict[str, list[str]] = {}
    for names, formals in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for i, name in enumerate(names):
            formal = formals[min(i, len(formals) - 1)]
            several = formal.option == onnx.defs.OpSchema.FormalParameterOption.Variadic
            one = formal.is_homogeneous or not several
            groups.setdefault(formal.type_str if one else f"{formal.type_str} {name}", []).append(
                name
            )
    return [
        (names, allowed.get(kind.split()[0], frozenset({kind}))) for kind, names in groups.items()
    ]


def _links(node: onnx.NodeProto) -> list[tuple[list[str], frozenset[str]]]:
    """Groups of values that are one value, outside and inside of a subgraph or a container."""
    if node.op_type.startswith(CONTAINERS):
        return [([*node.input, *node.output], ANY)]
    pairs: list[tuple[str, str]] = []
    for body in (a.g for a in node.attribute if a.HasField("g")):
        inner, made = [v.name for v in body.input], [v.name for v in body.output]
        if node.op_type == "If":
            pairs += zip(node.output, made, strict=True)
        elif node.op_type == "Loop":
            pairs += zip(node.input[2:], inner[2:], strict=True)
            pairs += zip(node.output, made[1:], strict=False)
            pairs += zip(inner[2:], made[1:], strict=False)
        elif node.op_type == "Scan":
            states = len(node.input) - _number(node, "num_scan_inputs")
            pairs += zip(node.input, inner, strict=False)
            pairs += zip(node.output, made, strict=False)
            pairs += zip(inner[:states], made, strict=False)
    return [(list(pair), ANY) for pair in pairs]


def _number(node: onnx.NodeProto, name: str) -> int:
    return next(int(a.i) for a in node.attribute if a.name == name)


def _retype(kind: onnx.TypeProto, new: int) -> None:
    """Write a new dtype into a type."""
    field = kind.WhichOneof("value")
    while field in ("sequence_type", "optional_type"):
        kind = getattr(kind, field).elem_type
        field = kind.WhichOneof("value")
    if new and field == "tensor_type":
        kind.tensor_type.elem_type = new


def _recast(tensor: TensorProto, new: int) -> None:
    """Write a tensor's numbers in a new type."""
    if new and tensor.data_type in FLOATS:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(new)
        array = numpy_helper.to_array(tensor).astype(dtype)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _rename_type(node: onnx.NodeProto, raised: dict[str, int]) -> None:
    """Make the attributes of a node name the type that its output has now."""
    new = raised.get(node.output[0], 0) if node.output else 0
    if not new:
        return
    for attribute in node.attribute:
        if attribute.name in TYPE_ATTRIBUTES and attribute.i in FLOATS:
            attribute.i = new
        elif node.op_type in ("Constant", "ConstantOfShape") and attribute.name == "value":
            _recast(attribute.t, new)
        elif attribute.name in ("value_float", "value_floats"):
            numbers = onnx.helper.get_attribute_value(attribute)
            dtype = onnx.helper.tensor_dtype_to_np_dtype(new)
            tensor = numpy_helper.from_array(np.array(numbers, dtype))
            attribute.CopyFrom(onnx.helper.make_attribute("value", tensor))
    named = [a.name for a in node.attribute]
    if node.op_type == "ConstantOfShape" and "value" not in named:
        zero = numpy_helper.from_array(np.zeros(1, onnx.helper.tensor_dtype_to_np_dtype(new)))
        node.attribute.append(onnx.helper.make_attribute("value", zero))
    elif node.op_type.endswith("Window") and "output_datatype" not in named:
        node.attribute.append(onnx.helper.make_attribute("output_datatype", new))
