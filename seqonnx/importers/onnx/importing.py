"""The door for foreign models: any operator set in, the pinned one inside."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from seqonnx.errors import ModelFileError
from seqonnx.graph.damage import reading
from seqonnx.graph.external import mapped_arrays, refuse_outside, stored_bytes, use_mapped
from seqonnx.graph.files import read_model
from seqonnx.graph.reading import is_standard
from seqonnx.graph.versions import IR_VERSION, OPSET
from seqonnx.importers.onnx.changed_operators import (
    has_norm_pools,
    keep_resize,
    reduce_instead_of_norm_pools,
    spell_out,
)
from seqonnx.importers.onnx.function_calls import mark_calls
from seqonnx.importers.onnx.fused_operators import mark_foreign, take_apart
from seqonnx.importers.onnx.newer_operators import bring_down
from seqonnx.importers.onnx.old_broadcasting import CHANGED, align_from_the_last_axis, put_back
from seqonnx.importers.onnx.old_normalization import note_training, train_again
from seqonnx.importers.onnx.ranks import infer_shapes
from seqonnx.importers.onnx.sizes import refuse_large_constants
from seqonnx.importers.onnx.soundness import refuse_unsound


class HasOnnx(Protocol):
    """Anything that can give itself as an ONNX model, such as a seqonnx model."""

    def to_onnx(self) -> onnx.ModelProto:
        """Return the model."""


ModelLike = str | os.PathLike[str] | onnx.ModelProto | HasOnnx


_UNKNOWN = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""Operators whose result has the shape of the input, which onnx 1.23 cannot infer."""
_SCAN_CHANGED = 9
"""Operator set since which Scan has no batch axis; onnx's converter drops it without a word."""
Keep = Callable[[str, str], bool]
"""Whether to keep the calls of a function, by its domain and name."""


def import_graph(model: ModelLike) -> ir.Graph:
    """Return a model's graph in the pinned operator set, functions expanded, shapes inferred.

    Args:
        model: path of a file, a ModelProto, or an object with `to_onnx()`.

    Returns:
        A graph of its own; the argument is not changed.

    Raises:
        ModelFileError: if the file cannot be read, or its operator set cannot be converted.
    """
    return import_model(model, lambda domain, name: False).graph


def import_model(model: ModelLike, keep: Keep) -> ir.Model:
    """Return a model in the pinned operator set, all functions expanded but those to keep.

    Args:
        model: path of a file, a ModelProto, or an object with `to_onnx()`.
        keep: tells which functions stay as calls. Each call then has a function of its own, told
            apart by its `overload`, whose body has the attributes of the call filled in;
            `expand_calls` puts it in the place of the call.

    Returns:
        A model of its own, with shapes inferred; the argument is not changed.

    Raises:
        ModelFileError: if the file cannot be read, or its operator set cannot be converted.
    """
    name, opened = open_model(model, keep)
    with reading(name):
        if not any(_is_call(node, opened) for node in opened.graph.all_nodes()):
            return ir.Model(convert(opened.graph, name), ir_version=IR_VERSION)
        opened = ir.from_proto(_infer(ir.to_proto(opened), name))
        calls = [node for node in opened.graph.all_nodes() if _is_call(node, opened)]
        bodies = [_body_of(call, opened, str(i), name) for i, call in enumerate(calls)]
        for call, body in zip(calls, bodies, strict=True):
            call.overload = body.overload
        proto = _convert(opened.graph, name)
        proto.functions.extend(ir.to_proto(body) for body in bodies)
        return ir.from_proto(_infer_converted(proto, opened.graph, name))


def expand_calls(graph: ir.Graph, functions: Mapping[ir.OperatorIdentifier, ir.Function]) -> None:
    """Put the bodies of functions in the place of their calls, in subgraphs too."""
    if len(functions) > 0:
        model = ir.Model(graph, ir_version=IR_VERSION, functions=list(functions.values()))
        common_passes.InlinePass()(model)


def open_model(
    model: ModelLike, keep: Keep | None = None, mark: Keep | None = None
) -> tuple[str, ir.Model]:
    """Read a model and expand its functions; initializers are no longer inputs.

    Args:
        model: path of a file, a ModelProto, or an object with `to_onnx()`.
        keep: tells which functions stay as calls; none by default.
        mark: tells which functions leave marks where they were called (see `take_marks`).

    Returns:
        What errors call the model, and the model in its own operator set.

    Raises:
        ModelFileError: if the file cannot be read, or a function cannot be expanded.
    """
    name, proto = title_of(model), None
    if not isinstance(model, str | os.PathLike):
        proto = model if isinstance(model, onnx.ModelProto) else model.to_onnx()
    with reading(name):
        from_file = proto is None
        proto = read_model(Path(name), mapped=True) if proto is None else proto
        if not from_file:
            refuse_outside(proto, name)
        refuse_unsound(proto, name)
        refuse_large_constants(proto, name, stored_bytes(proto))
        opened = ir.from_proto(proto)
        if from_file:
            use_mapped(opened.graph, mapped_arrays(proto, Path(name)))
        opened = common_passes.RemoveInitializersFromInputsPass()(opened).model
        if mark is not None:
            mark_calls(opened, mark)
        opened = _inlined(opened, name, keep)
        return name, common_passes.LiftSubgraphInitializersToMainGraphPass()(opened).model


def title_of(model: ModelLike) -> str:
    """Return what errors call a model: its file, if it is one."""
    return os.fspath(model) if isinstance(model, str | os.PathLike) else "the model"


def convert(graph: ir.Graph, name: str) -> ir.Graph:
    """Return a copy of a graph in the pinned operator set, with shapes inferred.

    Args:
        graph: graph without functions.
        name: what errors call the model.

    Raises:
        ModelFileError: if an operator cannot be converted, or its inputs do not fit it.
    """
    return ir.from_proto(_infer_converted(_convert(graph, name), graph, name)).graph


def _convert(graph: ir.Graph, name: str) -> onnx.ModelProto:
    """A graph as a ModelProto in the pinned operator set."""
    version = graph.opset_imports.get("", OPSET)
    proto: onnx.ModelProto = ir.to_proto(ir.Model(graph, ir_version=IR_VERSION))
    if version < _SCAN_CHANGED and any(node.op_type == "Scan" for node in graph.all_nodes()):
        raise ModelFileError(
            f"{name} uses the Scan of operator set {version}, which goes over a batch as well as "
            "over time; no later Scan means the same. Export the model with operator set "
            f"{_SCAN_CHANGED} or newer."
        )
    mark_foreign(proto.graph)
    trained = note_training(proto.graph, version, name)
    if version > OPSET:
        proto = bring_down(proto, version, name)
    elif version != OPSET:
        foreign = _foreign_types(proto.graph)
        spell_out(proto.graph, version)

        def to_pinned(model: onnx.ModelProto) -> onnx.ModelProto:
            return _with_later_operators(model, graph, version, name)

        if version < CHANGED:
            align_from_the_last_axis(proto, to_pinned, name)
        proto = to_pinned(proto)
        put_back(proto)
        train_again(proto.graph, trained)
        _forget_shapes(proto.graph, foreign)
        keep_resize(proto.graph, version)
    proto = take_apart(proto, lambda model: _infer(model, name), name)
    if has_norm_pools(proto.graph):
        proto = _infer(proto, name)
        reduce_instead_of_norm_pools(proto.graph)
    return proto


def _with_later_operators(
    proto: onnx.ModelProto, graph: ir.Graph, version: int, name: str
) -> onnx.ModelProto:
    """Convert a ModelProto with onnx's version converter."""
    try:
        # onnxscript's converter leaves operators of sets before 18 as they are.
        return onnx.version_converter.convert_version(proto, OPSET)
    except Exception as error:
        raise ModelFileError(
            f"{name} uses operator set {version}, which cannot be converted to {OPSET}: {error}"
            f"{_unknown_operators(graph, version)}"
        ) from error


def _infer(proto: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Return the ModelProto with the types of inner tensors; the given one is used up."""
    hidden = {i: copy.deepcopy(n) for i, n in enumerate(proto.graph.node) if n.op_type in _UNKNOWN}
    for i, node in hidden.items():
        like = onnx.helper.make_node("Identity", node.input[:1], node.output)
        proto.graph.node[i].CopyFrom(like)
    try:
        inferred = infer_shapes(proto)
    except onnx.shape_inference.InferenceError as error:
        raise ModelFileError(f"{name} breaks the ONNX standard: {error}") from error
    for i, node in hidden.items():
        inferred.graph.node[i].CopyFrom(node)
    return inferred


def _infer_converted(proto: onnx.ModelProto, graph: ir.Graph, name: str) -> onnx.ModelProto:
    """Like `_infer`, with what `graph` declared before it was converted where no shape follows."""
    inferred = _infer(proto, name)
    declared = {value.name: value.shape for node in graph for value in node.outputs}
    recalled = False
    for info in (*inferred.graph.value_info, *inferred.graph.output):
        shape, kind = declared.get(info.name), info.type.tensor_type
        if shape is None or not info.type.HasField("tensor_type") or kind.HasField("shape"):
            continue
        sizes = [dim if isinstance(dim, int) else dim.value for dim in shape]
        made = onnx.helper.make_tensor_type_proto(kind.elem_type, sizes)
        info.type.CopyFrom(made)
        recalled = True
    return _infer(inferred, name) if recalled else inferred


def _inlined(model: ir.Model, name: str, keep: Keep | None = None) -> ir.Model:
    """Expand functions."""
    try:
        expand = None if keep is None else lambda f: not keep(f.domain, f.name)
        return common_passes.InlinePass(expand)(model).model
    except (ValueError, ir.passes.InvariantError) as error:
        raise ModelFileError(f"A function of {name} cannot be expanded: {error}") from error


def _is_call(node: ir.Node, model: ir.Model) -> bool:
    return node.op_identifier() in model.functions


def _body_of(call: ir.Node, model: ir.Model, overload: str, name: str) -> ir.Function:
    """The function of one call alone: in the pinned operator set, its attributes filled in."""
    inputs = [
        None if value is None else ir.Value(name=f"input_{i}", type=value.type, shape=value.shape)
        for i, value in enumerate(call.inputs)
    ]
    alone = ir.Node(
        call.domain, call.op_type, inputs, call.attributes.values(),
        overload=call.overload, num_outputs=len(call.outputs), name=call.op_type,
    )  # fmt: skip
    for i, value in enumerate(alone.outputs):
        value.name = f"output_{i}"
    given = [value for value in inputs if value is not None]
    imports = dict(model.opset_imports)
    graph = ir.Graph(given, alone.outputs, nodes=[alone], opset_imports=imports, name="body")
    functions = list(model.functions.values())
    wrapped = ir.Model(graph, ir_version=IR_VERSION, functions=functions)
    graph = convert(_inlined(wrapped, name).graph, name)
    for i, given_value in enumerate(inputs):
        if given_value is None:
            graph.inputs.insert(i, ir.Value(name=f"input_{i}"))
    return ir.Function(call.domain, call.op_type, overload, graph=graph, attributes=[])


def _unknown_operators(graph: ir.Graph, version: int) -> str:
    """Say which operators the standard does not have; onnx tells so only in new releases."""
    kinds = sorted({node.op_type for node in graph.all_nodes() if is_standard(node)})
    unknown = [kind for kind in kinds if not onnx.defs.has(kind, version, "")]
    return f" No operator set has {', '.join(unknown)}." if unknown else ""


def _foreign_types(graph: onnx.GraphProto) -> dict[str, onnx.ValueInfoProto]:
    """The declared results of operators that inference does not know."""
    foreign = {name for node in graph.node if not is_standard(node) for name in node.output}
    return {
        info.name: copy.deepcopy(info)
        for info in (*graph.value_info, *graph.output)
        if info.name in foreign
    }


def _forget_shapes(graph: onnx.GraphProto, keep: Mapping[str, onnx.ValueInfoProto]) -> None:
    """Drop inner shapes: the converter writes a rank of 0 where it knows none."""
    del graph.value_info[:]
    outputs = {output.name for output in graph.output}
    graph.value_info.extend(info for name, info in keep.items() if name not in outputs)
    for output in graph.output:
        if output.name in keep:
            output.CopyFrom(keep[output.name])
        else:
            output.type.tensor_type.ClearField("shape")
