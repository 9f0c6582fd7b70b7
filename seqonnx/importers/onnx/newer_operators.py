"""Operator sets after the pinned one: what they added is written with what came before.

A node of a newer set means the same in the pinned set if its operator has not changed since, or
took on more dtypes only. What is new and has a definition in the standard is spelled out by it;
the rest is composed here, or refused by name. The set is never just declared to be another one.
"""

from __future__ import annotations

from typing import Any, Final

import onnx
from onnx import helper, inliner

from seqonnx.errors import ModelFileError
from seqonnx.graph.reading import canonical_domain, is_standard
from seqonnx.graph.versions import OPSET
from seqonnx.importers.onnx.newer_compositions import COMPOSED, Around, axis_numbers
from seqonnx.importers.onnx.node_rewriting import (
    Nodes,
    NotKnownError,
    attribute,
    graphs,
    ranks_of,
    rewrite_nodes,
)
from seqonnx.importers.onnx.ranks import infer_shapes

_DEFINITIONS: Final = "seqonnx.definitions"
"""Domain of the functions that hold definitions of the standard until they are inlined."""

_MORE_DTYPES: Final = frozenset(
    {"BitShift", "Cast", "CastLike", "Celu", "Compress", "Constant", "ConstantOfShape",
     "DepthToSpace", "DequantizeLinear", "Einsum", "Flatten", "Identity", "If", "Loop", "OneHot",
     "Optional", "OptionalGetElement", "OptionalHasElement", "Pad", "QuantizeLinear",
     "ReduceLogSum", "ReduceLogSumExp", "Reshape", "ReverseSequence", "Scan", "Shape", "Size",
     "SplitToSequence", "Squeeze", "TopK", "Transpose", "Unique", "Unsqueeze"}
)  # fmt: skip
"""Operators whose newer versions take more dtypes, and mean the same for those of before."""

_BY_DEFINITION: Final = frozenset({"CausalConvWithState", "LinearAttention", "SwiGLU", "Swish"})
"""New operators that the standard itself defines by others."""

Types = dict[str, onnx.TypeProto]


def bring_down(proto: onnx.ModelProto, version: int, name: str) -> onnx.ModelProto:
    """Return a model of a newer operator set in the pinned one.

    Args:
        proto: the model, without functions; it is changed.
        version: its operator set, above the pinned one.
        name: what errors call the model.

    Raises:
        ModelFileError: if an operator has no equal in the pinned set, or the installed onnx does
            not know the operator set.
    """
    known = onnx.defs.onnx_opset_version()
    if version > known:
        raise ModelFileError(
            f"{name} uses operator set {version}; the installed onnx {onnx.__version__} knows "
            f"those up to {known}. Update onnx, or export the model with an older operator set."
        )
    if any(_is_newer(node, version) for graph in graphs(proto.graph) for node in graph.node):
        while _has_definition(proto.graph):
            proto = _defined(infer_shapes(proto), version)
        inferred = infer_shapes(proto)
        types = _types_of(inferred.graph)
        ranks = ranks_of(inferred.graph)
        known_axis = axis_numbers(proto.graph)
        rewrite_nodes(
            proto.graph,
            lambda node: _older(node, version, Around(types, ranks, known_axis), name),
        )
    for imported in proto.opset_import:
        if canonical_domain(imported.domain) == "":
            imported.version = OPSET
    return proto


def _is_newer(node: onnx.NodeProto, version: int) -> bool:
    """Whether a node's operator came, or changed more than its dtypes, after the pinned set."""
    if not is_standard(node) or node.op_type in _MORE_DTYPES:
        return False
    if not onnx.defs.has(node.op_type, version, ""):
        return False  # shape inference says that there is no such operator
    schema = onnx.defs.get_schema(node.op_type, version)
    return bool(schema.since_version > OPSET)


def _defined(proto: onnx.ModelProto, version: int) -> onnx.ModelProto:
    """Put definitions of the standard in the place of the nodes that have one."""
    types = _types_of(proto.graph)
    functions: list[onnx.FunctionProto] = []
    for graph in graphs(proto.graph):
        for node in graph.node:
            if _is_defined(node):
                functions.append(_definition(node, version, types, len(functions)))
                node.domain, node.op_type = _DEFINITIONS, functions[-1].name
    proto.functions.extend(functions)
    proto.opset_import.append(helper.make_opsetid(_DEFINITIONS, 1))
    proto = inliner.inline_local_functions(proto)
    kept = [made for made in proto.opset_import if made.domain != _DEFINITIONS]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    return proto


def _has_definition(graph: onnx.GraphProto) -> bool:
    return any(_is_defined(node) for current in graphs(graph) for node in current.node)


def _is_defined(node: onnx.NodeProto) -> bool:
    """Whether a node is spelled out by the standard's definition."""
    return is_standard(node) and (node.op_type in _BY_DEFINITION or _is_windowed(node))


def _is_windowed(node: onnx.NodeProto) -> bool:
    """Whether an Attention uses what came after the pinned set."""
    if node.op_type != "Attention":
        return False
    windows = [attribute(node, f"{side}_window_size", -1) for side in ("left", "right")]
    return windows != [-1, -1] or (len(node.input) > 6 and node.input[6] != "")


def _definition(
    node: onnx.NodeProto, version: int, types: Types, number: int
) -> onnx.FunctionProto:
    """The standard's definition of a node, as a function of its own."""
    schema: Any = onnx.defs.get_schema(node.op_type, version)
    function = onnx.FunctionProto()
    if schema.has_function:
        function.CopyFrom(schema.function_body)
    else:
        given = [types.get(name, onnx.TypeProto()).SerializeToString() for name in node.input]
        content = schema.get_context_dependent_function(node.SerializeToString(), given)
        function.ParseFromString(content)
    _repeat_constants(function)
    function.domain, function.name = _DEFINITIONS, f"{node.op_type}_{number}"
    given_names = {made.name for made in node.attribute}
    for name, default in schema.attributes.items():
        if name not in given_names and default.default_value.name:
            node.attribute.append(default.default_value)
    del function.opset_import[:]
    function.opset_import.append(helper.make_opsetid("", version))
    return function


def _repeat_constants(function: onnx.FunctionProto) -> None:
    """Copy the constants that bodies take from outside into them: inference looks no further."""
    constants = {node.output[0]: node for node in function.node if node.op_type == "Constant"}
    for node in function.node:
        for body in (made.g for made in node.attribute if made.HasField("g")):
            read = {name for inner in body.node for name in inner.input} & constants.keys()
            nodes = [*(constants[name] for name in sorted(read)), *body.node]
            copies = onnx.GraphProto(node=nodes)
            for copy in copies.node:
                own = [f"{name}_inside" if name in read else name for name in copy.output]
                given = [f"{name}_inside" if name in read else name for name in copy.input]
                copy.output[:], copy.input[:] = own, given
            del body.node[:]
            body.node.extend(copies.node)


def _older(node: onnx.NodeProto, version: int, around: Around, name: str) -> Nodes:
    """Nodes of the pinned set for a node that is newer; None where it stays as it is."""
    if not _is_newer(node, version) or node.op_type == "Attention":
        return None
    compose = COMPOSED.get(node.op_type)
    where = f"{node.op_type} '{node.name or node.output[0]}' of {name}"
    if compose is None:
        since = onnx.defs.get_schema(node.op_type, version).since_version
        raise ModelFileError(
            f"{where} is of operator set {since}, and operator set {OPSET} has nothing that means "
            "the same. Export the model with an older operator set, or cut the network before it "
            "(`outputs=`)."
        )
    try:
        return compose(node, around)
    except NotKnownError as error:
        raise ModelFileError(
            f"{where} cannot be written in operator set {OPSET}: {error.args[0]} is not known. "
            "Declare it in the file: shapes in `value_info`, an axis as a constant."
        ) from error


def _types_of(graph: onnx.GraphProto) -> dict[str, onnx.TypeProto]:
    """The type of every tensor of which it is known."""
    found: dict[str, onnx.TypeProto] = {}
    for current in graphs(graph):
        for value in [*current.value_info, *current.input, *current.output]:
            found[value.name] = value.type
        for tensor in current.initializer:
            found[tensor.name] = helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
    return found
