"""The door for foreign models: any operator set in, the pinned one inside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common_passes

from seqonnx.errors import ModelFileError
from seqonnx.graph.files import read_model
from seqonnx.graph.versions import IR_VERSION, OPSET


class HasOnnx(Protocol):
    """Anything that can give itself as an ONNX model, such as a seqonnx model."""

    def to_onnx(self) -> onnx.ModelProto:
        """Return the model."""


ModelLike = str | os.PathLike[str] | onnx.ModelProto | HasOnnx


def import_graph(model: ModelLike) -> ir.Graph:
    """Return a model's graph in the pinned operator set, functions expanded, shapes inferred.

    Args:
        model: path of a file, a message, or an object with `to_onnx()`.

    Returns:
        A graph of its own; the argument is not changed.

    Raises:
        ModelFileError: if the file cannot be read, or its operator set cannot be converted.
    """
    name, opened = open_model(model)
    return convert(opened.graph, name)


def open_model(model: ModelLike) -> tuple[str, ir.Model]:
    """Read a model and expand its functions; initializers are no longer inputs.

    Args:
        model: path of a file, a message, or an object with `to_onnx()`.

    Returns:
        What errors call the model, and the model in its own operator set.

    Raises:
        ModelFileError: if the file cannot be read.
    """
    if isinstance(model, str | os.PathLike):
        name, proto = str(model), read_model(Path(model))
    elif isinstance(model, onnx.ModelProto):
        name, proto = "the model", model
    else:
        name, proto = "the model", model.to_onnx()
    opened = ir.from_proto(proto)
    opened = common_passes.RemoveInitializersFromInputsPass()(opened).model
    opened = common_passes.InlinePass()(opened).model
    return name, common_passes.LiftSubgraphInitializersToMainGraphPass()(opened).model


def convert(graph: ir.Graph, name: str) -> ir.Graph:
    """Return a copy of a graph in the pinned operator set, with shapes inferred.

    Args:
        graph: graph without functions.
        name: what errors call the model.

    Raises:
        ModelFileError: if an operator cannot be converted, or its inputs do not fit it.
    """
    version = graph.opset_imports.get("", OPSET)
    proto = ir.to_proto(ir.Model(graph, ir_version=IR_VERSION))
    if version != OPSET:
        try:
            # onnxscript's converter leaves operators of sets before 18 as they are.
            proto = onnx.version_converter.convert_version(proto, OPSET)
        except Exception as error:
            raise ModelFileError(
                f"{name} uses operator set {version}, which cannot be converted to {OPSET}: {error}"
                f"{_unknown_operators(graph, version)}"
            ) from error
        _forget_shapes(proto.graph)
    # Without data propagation: onnx 1.23 takes slice bounds that it does not know for 0.
    try:
        inferred = onnx.shape_inference.infer_shapes(proto)
    except onnx.shape_inference.InferenceError as error:
        raise ModelFileError(f"{name} breaks the ONNX standard: {error}") from error
    return ir.from_proto(inferred).graph


def _unknown_operators(graph: ir.Graph, version: int) -> str:
    """Say which operators the standard does not have; onnx tells so only in new releases."""
    kinds = sorted({node.op_type for node in graph.all_nodes() if node.domain in {"", "ai.onnx"}})
    unknown = [kind for kind in kinds if not onnx.defs.has(kind, version, "")]
    return f" No operator set has {', '.join(unknown)}." if unknown else ""


def _forget_shapes(graph: onnx.GraphProto) -> None:
    """Drop inner shapes: the converter writes a rank of 0 where it knows none."""
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
